/** Routes of `/exec` and what they need of an engine. */
import type { ExecConfig, ExecCreateResponse, ExecInspect, ExecStartBody } from "#api/types/exec.ts";
import type { Hijack } from "#lib/http/hijack.ts";
import { execConfigSchema, execStartSchema } from "#api/schemas/exec.ts";
import { type ApiRouter, compareVersions } from "../api.ts";
import { type Awaitable, streamType } from "./containers.ts";

/** Rejects with not-found: `No such container: x`, `No such exec instance: x`. */
export interface ExecBackend {
  create(containerId: string, config: ExecConfig): Awaitable<ExecCreateResponse>;
  /** Settles once the process runs. */
  startDetached(id: string, options: ExecStartBody): Awaitable<void>;
  /**
   * Calls `hijack` when the exec can still be refused no more (unknown, container stopped, started already), then
   * starts the process, writes its output in wire form (raw with a tty, else framed) and closes the connection.
   * A process that could not be started is written to the stream by the caller from the rejection.
   */
  start(id: string, options: ExecStartBody, hijack: Hijack): Promise<void>;
  /** In characters. */
  resize(id: string, height: number, width: number): Awaitable<void>;
  inspect(id: string): Awaitable<ExecInspect>;
}

/** `/exec` and `/containers/{id}/exec`. */
export function addExecRoutes(router: ApiRouter, backend: ExecBackend): void {
  router.add("POST", "/containers/{id}/exec", async (exchange) => {
    const config = await exchange.fields(execConfigSchema);
    if (compareVersions(exchange.version, "1.42") < 0) config.ConsoleSize = null;
    exchange.json(201, await backend.create(exchange.param("id"), config));
  });
  router.add("POST", "/exec/{id}/start", async (exchange) => {
    const options = (await exchange.body(execStartSchema)) ?? {};
    const id = exchange.param("id");
    if (options.Tty !== true || compareVersions(exchange.version, "1.42") < 0) options.ConsoleSize = null;
    if (options.Detach === true) {
      await backend.startDetached(id, options);
      exchange.response.send(200);
      return;
    }
    await backend.start(id, options, ({ tty }) => exchange.response.hijack(streamType(exchange, tty)));
  });
  router.add("POST", "/exec/{id}/resize", async (exchange) => {
    const { query } = exchange;
    await backend.resize(exchange.param("id"), query.size("h", "height"), query.size("w", "width"));
    exchange.response.send(200);
  });
  router.add("GET", "/exec/{id}/json", async (exchange) => {
    exchange.json(200, await backend.inspect(exchange.param("id")));
  });
}
