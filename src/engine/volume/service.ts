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
import type { Layout } from "#store/layout.ts";
import { freeProject, hasProjectQuota, setProjectQuota } from "#linux/project-quota.ts";
import { assertImages, boundedUsage } from "./bounded.ts";
import { type DriverOptions, parseDriverOptions } from "./driver-options.ts";
import { isElsewhere, selectVolumes, type VolumeFilters } from "./filter.ts";
import type { ResolvedMount } from "./mount.ts";
import { type MountedVolume, VolumeMounts } from "./mounts.ts";
import { checkVolumeName, randomVolumeName } from "./names.ts";
import { populateVolume } from "./populate.ts";

export type EmitVolumeEvent = (type: "volume", action: string, id: string, attributes: Record<string, string>) => void;

/** A row of the table. */
export interface VolumeRow {
  name: string;
  /** Milliseconds since the epoch. */
  created: number;
  /** JSON object. */
  labels: string;
  anonymous: number;
  /** JSON object of the driver's options, or null. */
  options: string | null;
  /** Of the quota; null where there is none, or an image bounds the size. */
  project: number | null;
}

/**
 * The database names every volume; the folder `volumes/<name>/_data` holds its content, or shows it while somebody
 * uses a volume with a file system of its own (`mounts`). A volume in use by any
 * container (running or not) cannot be removed.
 */
export class VolumeService {
  readonly mounts: VolumeMounts;
  readonly #db: Database;
  readonly #layout: Layout;
  readonly #emit: EmitVolumeEvent;
  readonly #log: Logger;
  readonly #filling = new KeyedLocks();

  constructor(db: Database, layout: Layout, emit: EmitVolumeEvent, log: Logger) {
    this.#db = db;
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
    const known = new Set(this.#rows().map(({ name }) => name));
    for (const name of readdirSync(volumes)) {
      if (known.has(name)) rmSync(join(volumes, name, "_new"), { recursive: true, force: true });
      else await this.#discard(name);
    }
    for (const row of this.#rows()) this.#makeFolder(row);
  }

  /**
   * Answers the existing volume of that name, whatever its options, as Docker does. Throws "invalid" (name, options),
   * "not-found" (driver), "unavailable" (cluster volumes, sizes that nothing can bound here).
   */
  create(request: VolumeCreateBody): Volume {
    if (request.ClusterVolumeSpec) {
      throw new EngineError("unavailable", "This node is not a swarm manager. Swarm mode is not supported.");
    }
    const driver = request.Driver || "local";
    if (driver !== "local") {
      throw new EngineError("not-found", `error looking up volume plugin ${driver}: plugin "${driver}" not found`);
    }
    const name = request.Name ? checkVolumeName(request.Name) : randomVolumeName();
    this.#add(name, !request.Name, request.Labels ?? {}, request.DriverOpts ?? {});
    return this.inspect(name);
  }

  /** Throws "not-found". */
  inspect(name: string): Volume {
    const row = this.#row(name);
    if (row === undefined) throw new EngineError("not-found", `get ${name}: no such volume`);
    return this.#show(row);
  }

  /** Filters: name, label, dangling, driver. Throws "invalid" for others. */
  list(filters: VolumeFilters = {}): Volume[] {
    return selectVolumes(this.#rows(), filters, (name) => this.users(name).length > 0, "list").map((row) =>
      this.#show(row),
    );
  }

  /** Rejects "not-found" (unless forced) and "conflict" (in use, also when forced). */
  async remove(name: string, force = false): Promise<void> {
    if (this.#row(name) === undefined) {
      if (force) return;
      throw new EngineError("not-found", `get ${name}: no such volume`);
    }
    this.#assertUnused(name);
    await this.mounts.clear(name);
    // Somebody else may have removed it meanwhile, or begun to use it.
    if (this.#row(name) === undefined) return;
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
    const due = selectVolumes(this.#rows(), filters, (name) => this.users(name).length > 0, "prune");
    let reclaimed = 0;
    const gone: string[] = [];
    for (const row of due) {
      const size = await this.#size(row);
      // A container may have been made with it meanwhile.
      if (this.users(row.name).length > 0) continue;
      await this.remove(row.name, true);
      gone.push(row.name);
      reclaimed += Math.max(0, size);
    }
    this.#emit("volume", "prune", "", { reclaimed: String(reclaimed) });
    return { VolumesDeleted: gone, SpaceReclaimed: reclaimed };
  }

  /** Notes that a container uses the volumes: makes the missing ones (one transaction). Emits create events. */
  acquire(containerId: string, mounts: readonly ResolvedMount[]): void {
    const insert = this.#db.query("INSERT OR IGNORE INTO volume_use (volume, container, named) VALUES (?, ?, ?)");
    this.#db.transaction(() => {
      for (const { volume } of mounts) {
        if (volume === undefined) continue;
        this.#add(volume.name, volume.anonymous, volume.labels, volume.options ?? {});
        insert.run(volume.name, containerId, volume.anonymous ? 0 : 1);
      }
    })();
  }

  /**
   * Forgets the uses, as one with what `also` writes; removes, if asked to, anonymous volumes that it did not call by
   * their names and nobody else uses.
   */
  release(containerId: string, removeAnonymous: boolean, also: () => void = () => {}): void {
    const gone = this.#db.transaction(() => {
      const mine = this.#db
        .query<{ volume: string; named: number }, [string]>(
          "DELETE FROM volume_use WHERE container = ? RETURNING volume, named",
        )
        .all(containerId)
        .filter(({ named }) => named === 0)
        .map(({ volume }) => volume);
      const orphans = removeAnonymous
        ? mine.filter((name) => this.#row(name)?.anonymous === 1 && this.users(name).length === 0)
        : [];
      for (const name of orphans) this.#db.query("DELETE FROM volume WHERE name = ?").run(name);
      also();
      return orphans;
    })();
    for (const name of gone) void this.#leave(name);
  }

  /** Ids of the containers that use any. */
  allUsers(): string[] {
    return this.#db
      .query<{ container: string }, []>("SELECT DISTINCT container FROM volume_use")
      .all()
      .map(({ container }) => container);
  }

  has(name: string): boolean {
    return this.#row(name) !== undefined;
  }

  /** Notes that a container uses no other volumes than those of `mounts`; of the others those that are `made` are removed. */
  keepOnly(containerId: string, mounts: readonly ResolvedMount[], made: readonly string[] = []): void {
    const kept = new Set(mounts.map(({ volume }) => volume?.name));
    const rows = this.#db.query<{ volume: string }, [string]>("SELECT volume FROM volume_use WHERE container = ?");
    const forget = this.#db.query("DELETE FROM volume_use WHERE volume = ? AND container = ?");
    for (const { volume } of rows.all(containerId)) if (!kept.has(volume)) forget.run(volume, containerId);
    for (const name of made) if (this.has(name) && this.users(name).length === 0) void this.#delete(name);
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
    const filled = this.#db.query<{ filled: number }, [string, string]>(
      "SELECT filled FROM volume_use WHERE container = ? AND volume = ?",
    );
    for (const { volume, destination } of mounts) {
      if (volume === undefined || filled.get(containerId, volume.name)?.filled !== 0) continue;
      using _ = await this.#filling.acquire(volume.name);
      if (volume.copy) {
        const place = { data: this.#layout.volumeData(volume.name), mounted: this.#mounted(volume.name) !== undefined };
        await populateVolume(place, rootfs, destination, ids, signal);
      }
      this.#db
        .query("UPDATE volume_use SET filled = 1 WHERE container = ? AND volume = ?")
        .run(containerId, volume.name);
    }
  }

  /** Size in bytes and number of using containers of each volume that is on the data root (for `/system/df`). */
  usage(signal?: AbortSignal): Promise<Volume[]> {
    return Promise.all(
      this.#rows()
        .filter((row) => !isElsewhere(row))
        .map(async (row) => ({
          ...this.#show(row),
          UsageData: { RefCount: this.users(row.name).length, Size: await this.#size(row, signal) },
        })),
    );
  }

  /** Ids of the containers that use the volume. */
  users(name: string): string[] {
    return this.#db
      .query<{ container: string }, [string]>("SELECT container FROM volume_use WHERE volume = ?")
      .all(name)
      .map(({ container }) => container);
  }

  #add(name: string, anonymous: boolean, labels: StringMap, options: StringMap): void {
    if (this.#row(name) !== undefined) return;
    const { size = 0 } = parseDriverOptions(options);
    const quota = size > 0 && hasProjectQuota(this.#layout.volumes);
    if (size > 0 && !quota) assertImages();
    const taken = new Set(this.#rows().map(({ project }) => project ?? 0));
    const all = anonymous ? { ...labels, "com.docker.volume.anonymous": "" } : labels;
    const row = {
      name,
      created: Date.now(),
      labels: JSON.stringify(all),
      anonymous: anonymous ? 1 : 0,
      options: Object.keys(options).length === 0 ? null : JSON.stringify(options),
      project: quota ? freeProject(this.#layout.volumes, taken) : null,
    };
    this.#db
      .query(
        `INSERT INTO volume (name, created, labels, anonymous, options, project)
         VALUES ($name, $created, $labels, $anonymous, $options, $project)`,
      )
      .run(row);
    this.#makeFolder(row);
    this.#emit("volume", "create", name, { driver: "local" });
  }

  #makeFolder({ name, options, project }: Pick<VolumeRow, "name" | "options" | "project">): void {
    const data = this.#layout.volumeData(name);
    const folder = dirname(data);
    const isNew = !existsSync(data);
    mkdirSync(folder, { recursive: true, mode: 0o701 });
    // On the outer folder, so that what is renamed in there counts already.
    if (isNew && project !== null) setProjectQuota(folder, project, this.#options({ options }).size ?? 0);
    mkdirSync(data, { recursive: true, mode: 0o755 });
  }

  /** The row goes at once, and so do the files unless something is mounted on them. */
  #delete(name: string): Promise<void> {
    this.#db.query("DELETE FROM volume WHERE name = ?").run(name);
    return this.#leave(name);
  }

  /** What follows when the row is gone; the next start would see to the folder. Never rejects. */
  #leave(name: string): Promise<void> {
    const gone = this.#discard(name).catch((error: unknown) =>
      this.#log.error({ volume: name, error: errorMessage(error) }, "cannot remove a volume's files"),
    );
    this.#emit("volume", "destroy", name, { driver: "local" });
    return gone;
  }

  /** Takes the folder out of the way at once; its files go in the background. */
  async #discard(name: string): Promise<void> {
    const folder = join(this.#layout.volumes, name);
    if (!existsSync(folder)) return;
    // Whatever is there is not ours to remove.
    await this.mounts.clear(name);
    const away = join(this.#layout.trash, `volume-${randomVolumeName()}`);
    mkdirSync(this.#layout.trash, { recursive: true, mode: 0o700 });
    renameSync(folder, away);
    rm(away, { recursive: true, force: true }).catch((error: unknown) =>
      this.#log.warn({ volume: name, error: errorMessage(error) }, "cannot remove a volume's files yet"),
    );
  }

  #row(name: string): VolumeRow | undefined {
    return this.#db.query<VolumeRow, [string]>("SELECT * FROM volume WHERE name = ?").get(name) ?? undefined;
  }

  #rows(): VolumeRow[] {
    return this.#db.query<VolumeRow, []>("SELECT * FROM volume ORDER BY name").all();
  }

  #options({ options }: Pick<VolumeRow, "options">): DriverOptions {
    return options === null ? {} : parseDriverOptions(JSON.parse(options) as StringMap);
  }

  #mounted(name: string): MountedVolume | undefined {
    const row = this.#row(name);
    if (row === undefined || row.options === null || row.project !== null) return undefined;
    const { source, size } = this.#options(row);
    if (source !== undefined) return { name, source };
    return size === undefined ? undefined : { name, size };
  }

  async #size(row: VolumeRow, signal?: AbortSignal): Promise<number> {
    const { size } = this.#options(row);
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
