/** Named and anonymous volumes of the "local" driver: their folders, labels, users and first content. */
import type { Database } from "bun:sqlite";
import type { Volume, VolumeCreateBody, VolumesPruneResponse } from "#api/types/volume.ts";
import { EngineError } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Layout } from "#store/layout.ts";

export type EmitVolumeEvent = (type: "volume", action: string, id: string, attributes: Record<string, string>) => void;

/** Values of each filter, as the wire's `filters` map. */
export type VolumeFilters = Readonly<Record<string, readonly string[]>>;

/**
 * The database names every volume; the folder `volumes/<name>/_data` holds its content. A volume in use by any
 * container (running or not) cannot be removed.
 */
export class VolumeService {
  constructor(db: Database, layout: Layout, emit: EmitVolumeEvent, log: Logger) {
    throw new EngineError("not-implemented", `volumes ${db.filename} ${layout.volumes} ${typeof emit} ${typeof log}`);
  }

  /** Removes what a crash left half made. Call once at start, before any other method. */
  declare recover: () => Promise<void>;
  /** Answers the existing volume of that name. Throws "invalid" (name, driver, options). */
  declare create: (request: VolumeCreateBody) => Volume;
  /** Throws "not-found". */
  declare inspect: (name: string) => Volume;
  /** Filters: name, label, dangling, driver. Throws "invalid" for others. */
  declare list: (filters?: VolumeFilters) => Volume[];
  /** Throws "not-found" (unless forced) and "conflict" (in use, also when forced). */
  declare remove: (name: string, force?: boolean) => void;
  /** Unused anonymous volumes, all unused ones with filter all=true; other filters: label, label!. */
  declare prune: (filters: VolumeFilters) => Promise<VolumesPruneResponse>;
  /** Notes that a container uses the volumes: makes the missing ones (one transaction). Emits create events. */
  declare acquire: (containerId: string, mounts: readonly import("./mount.ts").ResolvedMount[]) => void;
  /** Forgets the uses; returns names of anonymous volumes that nobody else uses (removed too with removeAnonymous). */
  declare release: (containerId: string, removeAnonymous: boolean) => string[];
  /** Copies what the image holds at each volume's destination into volumes that are new and empty. */
  declare populate: (mounts: readonly import("./mount.ts").ResolvedMount[], rootfs: string, signal?: AbortSignal) => Promise<void>;
  /** Size in bytes and number of using containers of each volume (for `/system/df`). */
  declare usage: (signal?: AbortSignal) => Promise<Volume[]>;
}
