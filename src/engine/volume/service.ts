/** Named and anonymous volumes of the "local" driver: their folders, labels, users and first content. */
import type { Database } from "bun:sqlite";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StringMap } from "#api/types/container-config.ts";
import type { Volume, VolumeCreateBody, VolumesPruneResponse } from "#api/types/volume.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { KeyedLocks } from "#lib/lock.ts";
import type { Logger } from "#lib/log.ts";
import type { IdMap } from "#linux/id-map.ts";
import { measureTree } from "#linux/helper-client.ts";
import { measureTrees } from "#linux/volume-trees.ts";
import type { Layout } from "#store/layout.ts";
import { freeProject, hasProjectQuota, setProjectQuota } from "#linux/project-quota.ts";
import { assertImages, boundedUsage } from "./bounded.ts";
import { type DriverOptions, parseDriverOptions } from "./driver-options.ts";
import { isElsewhere, selectVolumes, type VolumeFilters } from "./filter.ts";
import type { ResolvedMount } from "./mount.ts";
import { type MountedVolume, VolumeMounts } from "./mounts.ts";
import { checkVolumeName, randomVolumeName } from "./names.ts";
import { unknownDriver } from "./mount-forms.ts";
import { populateVolume } from "./populate.ts";
import { optionsOf, type VolumeRow, VolumeRows } from "./rows.ts";
import { VolumeWorks } from "./works.ts";

export type EmitVolumeEvent = (type: "volume", action: string, id: string, attributes: Record<string, string>) => void;

/**
 * The database names every volume; the folder `volumes/<name>/_data` holds its content, or shows it while somebody
 * uses a volume with a file system of its own (`mounts`). A volume in use by any container (running or not) cannot be
 * removed.
 */
export class VolumeService {
  readonly mounts: VolumeMounts;
  readonly works = new VolumeWorks();
  readonly #rows: VolumeRows;
  readonly #layout: Layout;
  readonly #emit: EmitVolumeEvent;
  readonly #log: Logger;
  readonly #filling = new KeyedLocks();

  constructor(db: Database, layout: Layout, emit: EmitVolumeEvent, log: Logger) {
    this.#rows = new VolumeRows(db);
    this.#layout = layout;
    this.#emit = emit;
    this.#log = log;
    this.mounts = new VolumeMounts(layout, log, (name) => this.#mounted(name));
  }

  /** Removes what a crash left half made. Call once at start, before any other method. */
  async recover(): Promise<void> {
    const { volumes, trash } = this.#layout;
    mkdirSync(volumes, { recursive: true, mode: 0o700 });
    // Root of a container may leave a program here that runs as root for whoever can reach it.
    chmodSync(volumes, 0o700);
    mkdirSync(trash, { recursive: true, mode: 0o700 });
    const known = new Set(this.#rows.all().map(({ name }) => name));
    for (const name of readdirSync(volumes)) {
      if (known.has(name)) rmSync(join(volumes, name, "_new"), { recursive: true, force: true });
      else await this.#discard(name).catch((error: unknown) => this.#cannotRemove(name, error));
    }
    for (const row of this.#rows.all()) {
      // A server that is gone would hold us up at what the last daemon has mounted there.
      if (row.options === null || !this.mounts.isMounted(row.name)) this.#makeFolder(row);
    }
  }

  /**
   * Answers the existing volume of that name, whatever its options, as Docker does. Throws "invalid" (name, options),
   * "not-found" (driver), "unavailable" (cluster volumes, sizes that nothing can bound here).
   */
  create(request: VolumeCreateBody): Volume {
    if (request.ClusterVolumeSpec) {
      throw new EngineError("unavailable", "This node is not a swarm manager. Swarm mode is not supported.");
    }
    const name = request.Name ? checkVolumeName(request.Name) : randomVolumeName();
    const driver = request.Driver || "local";
    if (driver !== "local") throw new EngineError("not-found", unknownDriver(driver, name));
    this.#rows.atOnce(() => this.#add(name, !request.Name, request.Labels ?? {}, request.DriverOpts ?? {}));
    return this.inspect(name);
  }

  /** Throws "not-found". */
  inspect(name: string): Volume {
    const row = this.#rows.get(name);
    if (row === undefined) throw new EngineError("not-found", `get ${name}: no such volume`);
    return this.#show(row);
  }

  /** Filters: name, label, dangling, driver. Throws "invalid" for others. */
  list(filters: VolumeFilters = {}): Volume[] {
    return selectVolumes(this.#rows.all(), filters, (name) => this.#rows.users(name).length > 0, "list").map((row) =>
      this.#show(row),
    );
  }

  /** Rejects "not-found" (unless forced) and "conflict" (in use, also when forced). */
  async remove(name: string, force = false): Promise<void> {
    if (this.#rows.get(name) === undefined) {
      if (force) return;
      throw new EngineError("not-found", `get ${name}: no such volume`);
    }
    this.#assertUnused(name);
    await this.mounts.clear(name);
    // Somebody else may have removed it meanwhile, or begun to use it.
    if (this.#rows.get(name) === undefined) return;
    this.#assertUnused(name);
    await this.#delete(name);
  }

  #assertUnused(name: string): void {
    const users = this.users(name);
    if (users.length === 0) return;
    throw new EngineError("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
  }

  /** Unused anonymous volumes, all unused ones with filter all=true; other filters: label, label!. */
  async prune(filters: VolumeFilters): Promise<VolumesPruneResponse> {
    const due = selectVolumes(this.#rows.all(), filters, (name) => this.users(name).length > 0, "prune");
    let reclaimed = 0;
    const gone: string[] = [];
    for (const row of due) {
      try {
        const size = await this.#size(row).catch(() => 0);
        // A container may have been made with it meanwhile.
        if (this.users(row.name).length > 0) continue;
        await this.remove(row.name, true);
        gone.push(row.name);
        reclaimed += Math.max(0, size);
      } catch (error) {
        this.#log.warn({ volume: row.name, error: errorMessage(error) }, "cannot prune a volume");
      }
    }
    this.#emit("volume", "prune", "", { reclaimed: String(reclaimed) });
    return { VolumesDeleted: gone, SpaceReclaimed: reclaimed };
  }

  /** Notes that a container uses the volumes: makes the missing ones (one transaction). Emits create events. */
  acquire(containerId: string, mounts: readonly ResolvedMount[]): void {
    this.#rows.atOnce(() => {
      for (const { volume } of mounts) {
        if (volume === undefined) continue;
        this.#add(volume.name, volume.anonymous, volume.labels, volume.options ?? {});
        this.#rows.use(containerId, volume.name, !volume.anonymous);
      }
    });
  }

  /**
   * Forgets the uses, as one with what `also` writes; removes, if asked to, anonymous volumes that it did not call by
   * their names and nobody else uses.
   */
  release(containerId: string, removeAnonymous: boolean, also: () => void = () => {}): void {
    const rows = this.#rows;
    const gone = rows.atOnce(() => {
      const mine = rows.uses(containerId);
      for (const { volume } of mine) rows.forget(containerId, volume);
      const orphans = mine.flatMap(({ volume, named }) => {
        const row = named === 0 && removeAnonymous && this.users(volume).length === 0 ? rows.get(volume) : undefined;
        return row?.anonymous === 1 ? [row] : [];
      });
      for (const { name } of orphans) rows.delete(name);
      also();
      return orphans;
    });
    for (const row of gone) void this.#leave(row);
  }

  /** Ids of the containers that use any. */
  allUsers(): string[] {
    return this.#rows.allUsers();
  }

  has(name: string): boolean {
    return this.#rows.get(name) !== undefined;
  }

  /** Notes that a container uses no other volumes than those of `mounts`; of the others those that are `made` are removed. */
  keepOnly(containerId: string, mounts: readonly ResolvedMount[], made: readonly string[] = []): void {
    const kept = new Set(mounts.map(({ volume }) => volume?.name));
    for (const { volume } of this.#rows.uses(containerId)) {
      if (!kept.has(volume)) this.#rows.forget(containerId, volume);
    }
    for (const name of made) if (this.users(name).length === 0) void this.#delete(name);
  }

  /**
   * Copies what the image holds at each volume's destination into volumes that are empty, when a container is about to
   * see them for the first time. They are mounted. `ids`: owners in the image are shifted so.
   */
  async populate(
    containerId: string,
    mounts: readonly ResolvedMount[],
    rootfs: string,
    ids?: IdMap,
    signal?: AbortSignal,
  ): Promise<void> {
    if (!mounts.some(({ volume }) => volume !== undefined)) return;
    const seen = new Set(this.#rows.uses(containerId).flatMap(({ volume, filled }) => (filled === 1 ? [volume] : [])));
    for (const { volume, destination } of mounts) {
      if (volume === undefined || seen.has(volume.name)) continue;
      using _ = await this.#filling.acquire(volume.name);
      if (volume.copy) {
        const place = { data: this.#layout.volumeData(volume.name), mounted: this.#mounted(volume.name) !== undefined };
        await populateVolume(place, rootfs, destination, ids, signal);
      }
      this.#rows.filled(containerId, volume.name);
    }
  }

  /** Size in bytes and number of using containers of each volume that is on the data root (for `/system/df`). */
  async usage(signal?: AbortSignal): Promise<Volume[]> {
    const rows = this.#rows.all().filter((row) => !isElsewhere(row));
    const unbounded = rows.filter((row) => optionsOf(row).size === undefined).map(({ name }) => name);
    const measured = await measureTrees(
      this.#layout.volumes,
      unbounded.map((name) => `${name}/_data`),
      signal,
    );
    const sizes = new Map(unbounded.map((name, index) => [name, measured[index]?.bytes ?? -1]));
    return Promise.all(
      rows.map(async (row) => ({
        ...this.#show(row),
        UsageData: {
          RefCount: this.#rows.users(row.name).length,
          Size: sizes.get(row.name) ?? (await this.#size(row, signal)),
        },
      })),
    );
  }

  /** Ids of the containers that use the volume, and words for other work that needs it where it is. */
  users(name: string): string[] {
    return [...this.#rows.users(name), ...this.works.of(name)];
  }

  #add(name: string, anonymous: boolean, labels: StringMap, options: StringMap): void {
    if (this.#rows.get(name) !== undefined) return;
    const { size = 0 } = optionsFor(name, options);
    const quota = size > 0 && hasProjectQuota(this.#layout.volumes);
    if (size > 0 && !quota) assertImages(name, size);
    const all = anonymous ? { ...labels, "com.docker.volume.anonymous": "" } : labels;
    const row: VolumeRow = {
      name,
      created: Date.now(),
      labels: JSON.stringify(all),
      anonymous: anonymous ? 1 : 0,
      options: Object.keys(options).length === 0 ? null : JSON.stringify(options),
      project: quota ? this.#freeProject() : null,
    };
    this.#rows.insert(row);
    this.#makeFolder(row);
    this.#emit("volume", "create", name, { driver: "local" });
  }

  #freeProject(): number {
    return freeProject(this.#layout.volumes, new Set(this.#rows.all().map(({ project }) => project ?? 0)));
  }

  #makeFolder(row: VolumeRow): void {
    const { name, project } = row;
    const data = this.#layout.volumeData(name);
    const folder = dirname(data);
    const isNew = !existsSync(data);
    mkdirSync(folder, { recursive: true, mode: 0o701 });
    // On the outer folder, so that what is renamed in there counts already.
    if (isNew && project !== null) setProjectQuota(folder, project, optionsOf(row).size ?? 0);
    mkdirSync(data, { recursive: true, mode: 0o755 });
  }

  /** The row goes at once, and so do the files unless something is mounted on them. */
  async #delete(name: string): Promise<void> {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    this.#rows.delete(name);
    await this.#leave(row);
  }

  /** What follows when the row is gone; the next start would see to the folder. Never rejects. */
  #leave({ name, project }: VolumeRow): Promise<void> {
    const gone = this.#discard(name, project).catch((error: unknown) => this.#cannotRemove(name, error));
    this.#emit("volume", "destroy", name, { driver: "local" });
    return gone;
  }

  #cannotRemove(name: string, error: unknown): void {
    this.#log.error({ volume: name, error: errorMessage(error) }, "cannot remove a volume's files");
  }

  /** Takes the folder out of the way at once; its files go in the background. */
  async #discard(name: string, project: number | null = null): Promise<void> {
    const folder = join(this.#layout.volumes, name);
    if (!existsSync(folder)) return;
    // Whatever is there is not ours to remove.
    await this.mounts.clear(name);
    if (project !== null) setProjectQuota(folder, project, 0);
    const away = join(this.#layout.trash, `volume-${randomVolumeName()}`);
    mkdirSync(this.#layout.trash, { recursive: true, mode: 0o700 });
    renameSync(folder, away);
    rm(away, { recursive: true, force: true }).catch((error: unknown) =>
      this.#log.warn({ volume: name, error: errorMessage(error) }, "cannot remove a volume's files yet"),
    );
  }

  #mounted(name: string): MountedVolume | undefined {
    const row = this.#rows.get(name);
    if (row === undefined || row.options === null || row.project !== null) return undefined;
    const { source, size } = optionsOf(row);
    if (source !== undefined) return { name, source };
    return size === undefined ? undefined : { name, size };
  }

  async #size(row: VolumeRow, signal?: AbortSignal): Promise<number> {
    const { size } = optionsOf(row);
    if (size !== undefined) return boundedUsage(this.#layout, { ...row, size });
    return (await measureTree(this.#layout.volumeData(row.name), signal)).bytes;
  }

  #show({ name, created, labels, options }: VolumeRow): Volume {
    const parsed = JSON.parse(labels) as Record<string, string>;
    return {
      CreatedAt: new Date(created).toISOString().replace(/\.\d+Z$/, "Z"),
      Driver: "local",
      Labels: Object.keys(parsed).length === 0 ? null : parsed,
      Mountpoint: this.#layout.volumeData(name),
      Name: name,
      Options: options === null ? null : (JSON.parse(options) as StringMap),
      Scope: "local",
    };
  }
}

function optionsFor(name: string, options: StringMap): DriverOptions {
  try {
    return parseDriverOptions(options);
  } catch (cause) {
    throw new EngineError("invalid", `create ${name}: ${errorMessage(cause)}`, { cause });
  }
}
