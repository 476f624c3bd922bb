/** Routes of `docker cp` and what they need of an engine. */
import type { PathStat } from "#api/types/container.ts";
import type { ArchivePutQuery } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import type { Lendable } from "#linux/helper-client.ts";
import type { ApiRouter, Exchange } from "../api.ts";
import { type OutgoingArchive, sendArchive, supported } from "../streams.ts";
import type { Awaitable } from "./containers.ts";

/** `docker cp`; optional. Paths are those inside the container. */
export interface ContainerArchiveBackend {
  statPath(id: string, path: string): Awaitable<PathStat>;
  getArchive(id: string, path: string, signal: AbortSignal): Promise<{ stat: PathStat; stream: OutgoingArchive }>;
  /** `body` is a tar, plain or compressed. */
  putArchive(id: string, query: ArchivePutQuery, body: Lendable, signal: AbortSignal): Promise<void>;
}

/** `/containers/{id}/archive`. */
export function addArchiveRoutes(router: ApiRouter, backend: Partial<ContainerArchiveBackend>): void {
  const what = "copying files from and to a container";
  const path = "/containers/{id}/archive";
  const asked = ({ query }: Exchange): string => {
    const value = query.text("path");
    if (value === "") throw new EngineError("invalid", "bad parameter: 'path' cannot be empty");
    return value;
  };
  const tell = ({ response }: Exchange, stat: PathStat): void => {
    response.setHeader("X-Docker-Container-Path-Stat", Buffer.from(JSON.stringify(stat)).toString("base64"));
  };
  router.add("HEAD", path, async (exchange) => {
    const statPath = supported(backend.statPath?.bind(backend), what);
    tell(exchange, await statPath(exchange.param("id"), asked(exchange)));
    exchange.response.send(200);
  });
  router.add("GET", path, async (exchange) => {
    const getArchive = supported(backend.getArchive?.bind(backend), what);
    const { stat, stream } = await getArchive(exchange.param("id"), asked(exchange), exchange.request.signal);
    tell(exchange, stat);
    await sendArchive(exchange, "application/x-tar", stream);
  });
  router.add("PUT", path, async (exchange) => {
    const putArchive = supported(backend.putArchive?.bind(backend), what);
    const { query, request } = exchange;
    const options = {
      path: asked(exchange),
      noOverwriteDirNonDir: query.flag("noOverwriteDirNonDir"),
      copyUidGid: query.flag("copyUIDGID"),
    };
    await putArchive(exchange.param("id"), options, request.body, request.signal);
    exchange.response.send(200);
  });
}
