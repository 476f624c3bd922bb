/** Routes of `/volumes` and what they need of an engine. */
import type { Filters } from "#api/types/query.ts";
import type { Volume, VolumeCreateBody, VolumesPruneResponse } from "#api/types/volume.ts";
import type { Awaitable } from "./containers.ts";

/** Rejects with not-found (`get x: no such volume`) and conflict (in use). */
export interface VolumeBackend {
  list(filters: Filters): Awaitable<Volume[]>;
  inspect(name: string): Awaitable<Volume>;
  create(body: VolumeCreateBody): Awaitable<Volume>;
  remove(name: string, force: boolean): Awaitable<void>;
  prune(filters: Filters): Awaitable<VolumesPruneResponse>;
}
