/** Named and anonymous volumes of the "local" driver: their folders, labels, users and first content. */
import type { Database } from "bun:sqlite";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Volume, VolumeCreateBody, VolumesPruneResponse } from "#api/types/volume.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { KeyedLocks } from "#lib/lock.ts";
import type { Logger } from "#lib/log.ts";
import type { IdMap } from "#linux/id-map.ts";
import { measureTree } from "#linux/helper-client.ts";
import type { Layout } from "#store/layout.ts";
import { selectVolumes, type VolumeFilters } from "./filter.ts";
import type { ResolvedMount } from "./mount.ts";
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
  populated: number;
}

/**
 * The database names every volume; the folder `volumes/<name>/_data` holds its content. A volume in use by any
 * container (running or not) cannot be removed.
 */
export class VolumeService {
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
      else this.#discard(name);
    }
    for (const name of known) this.#makeFolder(name);
  }

  /** Answers the existing volume of that name. Throws "invalid" (name, options), "not-found" (driver). */
  create(request: VolumeCreateBody): Volume {
    const driver = request.Driver || "local";
    if (driver !== "local") {
      throw new EngineError("not-found", `error looking up volume plugin ${driver}: plugin "${driver}" not found`);
    }
    const option = Object.keys(request.DriverOpts ?? {})[0];
    if (option !== undefined) {
      throw new EngineError(
        "invalid",
        `create ${request.Name ?? ""}: the volume option "${option}" is not supported yet`,
      );
    }
    if (request.ClusterVolumeSpec)
      throw new EngineError("invalid", "cluster volumes are not supported: there is no swarm");
    const name = request.Name ? checkVolumeName(request.Name) : randomVolumeName();
    this.#add(name, !request.Name, request.Labels ?? {});
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

  /** Throws "not-found" (unless forced) and "conflict" (in use, also when forced). */
  remove(name: string, force = false): void {
    if (this.#row(name) === undefined) {
      if (force) return;
      throw new EngineError("not-found", `get ${name}: no such volume`);
    }
    const users = this.users(name);
    if (users.length > 0) {
      throw new EngineError("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
    }
    this.#delete(name);
  }

  /** Unused anonymous volumes, all unused ones with filter all=true; other filters: label, label!. */
  async prune(filters: VolumeFilters): Promise<VolumesPruneResponse> {
    const due = selectVolumes(this.#rows(), filters, (name) => this.users(name).length > 0, "prune");
    let reclaimed = 0;
    for (const { name } of due) {
      reclaimed += (await measureTree(this.#layout.volumeData(name))).bytes;
      this.remove(name, true);
    }
    this.#emit("volume", "prune", "", { reclaimed: String(reclaimed) });
    return { VolumesDeleted: due.map(({ name }) => name), SpaceReclaimed: reclaimed };
  }

  /** Notes that a container uses the volumes: makes the missing ones (one transaction). Emits create events. */
  acquire(containerId: string, mounts: readonly ResolvedMount[]): void {
    const insert = this.#db.query("INSERT OR IGNORE INTO volume_use (volume, container) VALUES (?, ?)");
    this.#db.transaction(() => {
      for (const { volume } of mounts) {
        if (volume === undefined) continue;
        this.#add(volume.name, volume.anonymous, volume.labels);
        insert.run(volume.name, containerId);
      }
    })();
  }

  /** Forgets the uses, as one with what `also` writes; removes anonymous volumes that nobody else uses if asked to. */
  release(containerId: string, removeAnonymous: boolean, also: () => void = () => {}): void {
    const gone = this.#db.transaction(() => {
      const mine = this.#db
        .query<{ volume: string }, [string]>("DELETE FROM volume_use WHERE container = ? RETURNING volume")
        .all(containerId)
        .map(({ volume }) => volume);
      const orphans = removeAnonymous
        ? mine.filter((name) => this.#row(name)?.anonymous === 1 && this.users(name).length === 0)
        : [];
      for (const name of orphans) this.#db.query("DELETE FROM volume WHERE name = ?").run(name);
      also();
      return orphans;
    })();
    for (const name of gone) this.#leave(name);
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
    for (const name of made) if (this.has(name) && this.users(name).length === 0) this.#delete(name);
  }

  /** Copies what the image holds at each volume's destination into volumes that are new and empty. `ids`: its owners are shifted so. */
  async populate(mounts: readonly ResolvedMount[], rootfs: string, ids?: IdMap, signal?: AbortSignal): Promise<void> {
    for (const { volume, destination } of mounts) {
      if (volume === undefined || this.#row(volume.name)?.populated !== 0) continue;
      using _ = await this.#filling.acquire(volume.name);
      if (this.#row(volume.name)?.populated !== 0) continue;
      const data = this.#layout.volumeData(volume.name);
      if (volume.copy && readdirSync(data).length === 0) await populateVolume(data, rootfs, destination, ids, signal);
      this.#db.query("UPDATE volume SET populated = 1 WHERE name = ?").run(volume.name);
    }
  }

  /** Size in bytes and number of using containers of each volume (for `/system/df`). */
  usage(signal?: AbortSignal): Promise<Volume[]> {
    return Promise.all(
      this.#rows().map(async (row) => ({
        ...this.#show(row),
        UsageData: {
          RefCount: this.users(row.name).length,
          Size: (await measureTree(this.#layout.volumeData(row.name), signal)).bytes,
        },
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

  #add(name: string, anonymous: boolean, labels: Record<string, string>): void {
    if (this.#row(name) !== undefined) return;
    const all = anonymous ? { ...labels, "com.docker.volume.anonymous": "" } : labels;
    this.#db
      .query("INSERT INTO volume (name, created, labels, anonymous, populated) VALUES (?, ?, ?, ?, 0)")
      .run(name, Date.now(), JSON.stringify(all), anonymous ? 1 : 0);
    this.#makeFolder(name);
    this.#emit("volume", "create", name, { driver: "local" });
  }

  #makeFolder(name: string): void {
    const data = this.#layout.volumeData(name);
    mkdirSync(dirname(data), { recursive: true, mode: 0o701 });
    mkdirSync(data, { recursive: true, mode: 0o755 });
  }

  #delete(name: string): void {
    this.#db.query("DELETE FROM volume WHERE name = ?").run(name);
    this.#leave(name);
  }

  /** What follows when the row is gone; the next start would see to the folder. */
  #leave(name: string): void {
    this.#discard(name);
    this.#emit("volume", "destroy", name, { driver: "local" });
  }

  /** Takes the folder out of the way at once; its files go in the background. */
  #discard(name: string): void {
    const folder = join(this.#layout.volumes, name);
    if (!existsSync(folder)) return;
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

  #show({ name, created, labels }: VolumeRow): Volume {
    const parsed = JSON.parse(labels) as Record<string, string>;
    return {
      CreatedAt: new Date(created).toISOString().replace(/\.\d+Z$/, "Z"),
      Driver: "local",
      Labels: Object.keys(parsed).length === 0 ? null : parsed,
      Mountpoint: this.#layout.volumeData(name),
      Name: name,
      Options: null,
      Scope: "local",
    };
  }
}
