/** Routes of `/exec` and what they need of an engine. */
import type { ExecConfig, ExecCreateResponse, ExecInspect, ExecStartBody } from "#api/types/exec.ts";
import type { Hijack } from "#lib/http/hijack.ts";
import type { Awaitable } from "./containers.ts";

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
