/** Routes of `/volumes` and what they need of an engine. */
import type { Filters } from "#api/types/query.ts";
import type { Volume, VolumeCreateBody, VolumesPruneResponse } from "#api/types/volume.ts";
import { volumeCreateSchema } from "#api/schemas/volume.ts";
import { type ApiRouter, compareVersions } from "../api.ts";
import type { Awaitable } from "./containers.ts";

/** Rejects with not-found (`get x: no such volume`) and conflict (in use). */
export interface VolumeBackend {
  list(filters: Filters): Awaitable<Volume[]>;
  inspect(name: string): Awaitable<Volume>;
  create(body: VolumeCreateBody): Awaitable<Volume>;
  remove(name: string, force: boolean): Awaitable<void>;
  prune(filters: Filters): Awaitable<VolumesPruneResponse>;
}

/** `/volumes`. */
export function addVolumeRoutes(router: ApiRouter, backend: VolumeBackend): void {
  router.add("GET", "/volumes", async (exchange) => {
    exchange.json(200, { Volumes: await backend.list(exchange.query.filters()), Warnings: null });
  });
  router.add("POST", "/volumes/create", async (exchange) => {
    exchange.json(201, await backend.create((await exchange.body(volumeCreateSchema)) ?? {}));
  });
  router.add("POST", "/volumes/prune", async (exchange) => {
    const filters = exchange.query.filters();
    // Named ones are left alone since 1.42.
    const asked = compareVersions(exchange.version, "1.42") < 0 ? { ...filters, all: ["true"] } : filters;
    exchange.json(200, await backend.prune(asked));
  });
  router.add("GET", "/volumes/{name}", async (exchange) => {
    exchange.json(200, await backend.inspect(exchange.param("name")));
  });
  router.add("DELETE", "/volumes/{name}", async (exchange) => {
    await backend.remove(exchange.param("name"), exchange.query.flag("force"));
    exchange.noContent();
  });
}
