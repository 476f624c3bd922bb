/** Routes of what Berth alone does with volumes. None takes a path from a volume of Docker's API, whatever its name. */
import type { VolumeCopied, VolumeRestored, VolumesUsage } from "#api/types/volume-care.ts";
import type { Lendable } from "#linux/helper-client.ts";
import type { ApiRouter, Exchange } from "../api.ts";
import { type OutgoingArchive, sendBytes } from "../streams.ts";

/** Rejects with not-found (`get x: no such volume`), conflict (in use, taken) and invalid (names, damaged backups). */
export interface VolumeCareBackend {
  rename(name: string, newName: string): Promise<void>;
  copy(
    name: string,
    target: string,
    options: { replace: boolean; pause: boolean },
    signal: AbortSignal,
  ): Promise<VolumeCopied>;
  backup(name: string, options: { pause: boolean }, signal: AbortSignal): Promise<OutgoingArchive>;
  restore(
    options: { name?: string; replace: boolean },
    archive: Lendable,
    signal: AbortSignal,
  ): Promise<VolumeRestored>;
  usage(names: readonly string[], signal: AbortSignal): Promise<VolumesUsage>;
}

export function addVolumeCareRoutes(router: ApiRouter, backend: VolumeCareBackend): void {
  router.add("POST", "/volumes/{name}/rename", async (exchange) => {
    await backend.rename(exchange.param("name"), exchange.query.text("name"));
    exchange.noContent();
  });
  router.add("POST", "/volumes/{name}/copy", async (exchange) => {
    const { query, request } = exchange;
    const options = { replace: query.flag("replace"), pause: query.flag("pause") };
    exchange.json(201, await backend.copy(exchange.param("name"), query.text("name"), options, request.signal));
  });
  router.add("GET", "/volumes/{name}/backup", async (exchange) => {
    const { query, request } = exchange;
    const archive = await backend.backup(exchange.param("name"), { pause: query.flag("pause") }, request.signal);
    await sendSealed(exchange, archive, query.flag("sealed"));
  });
  router.add("POST", "/volumes/restore", async (exchange) => {
    const { query, request } = exchange;
    const name = query.optional("name");
    const options = { replace: query.flag("replace"), ...(name !== undefined && { name }) };
    exchange.json(201, await backend.restore(options, request.body, request.signal));
  });
  router.add("GET", "/system/df/volumes", async (exchange) => {
    exchange.json(200, await backend.usage(exchange.query.list("name"), exchange.request.signal));
  });
}

/**
 * An archive that fails breaks the connection, as others do; a client that looks at the seal of what it gets (`sealed`)
 * has it to the end, where the reason is.
 */
async function sendSealed(exchange: Exchange, archive: OutgoingArchive, sealed: boolean): Promise<void> {
  const type = "application/zstd";
  const answer = await exchange.response.lend(200, type);
  if (answer !== undefined) {
    try {
      await archive.writeTo(answer);
    } catch (cause) {
      if (sealed) answer.end();
      throw cause;
    }
    return answer.end();
  }
  let failure: { readonly cause: unknown } | undefined;
  async function* toTheEnd(): AsyncGenerator<Uint8Array> {
    try {
      yield* archive;
    } catch (cause) {
      if (!sealed) throw cause;
      failure = { cause };
    }
  }
  await sendBytes(exchange, type, toTheEnd());
  if (failure !== undefined) throw failure.cause;
}
