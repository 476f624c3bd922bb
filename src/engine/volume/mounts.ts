/** Mounts the file systems that volumes name, from the first container that runs with one to the last. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { KeyedLocks } from "#lib/lock.ts";
import type { Logger } from "#lib/log.ts";
import { askHelper, mountInHelper } from "#linux/helper-client.ts";
import type { MountHereRequest } from "#linux/helper-mount.ts";
import { listMounts } from "#linux/mountinfo.ts";
import type { Layout } from "#store/layout.ts";
import { makeImage } from "./bounded.ts";
import type { DriverOptions } from "./driver-options.ts";
import { resolveSource } from "./network-source.ts";

/** What a volume's folder shows; undefined where that is the folder itself. */
export interface MountedVolume extends DriverOptions {
  readonly name: string;
}

/** What a server that does not answer may take. */
const PATIENCE_MS = 60_000;

/**
 * A holder is a container that runs (by its id) or some work of the daemon. The file system is at the volume's folder
 * while anybody holds it. The count is of this daemon only: a new one learns by `recover` who runs, and takes off what
 * nobody does.
 */
export class VolumeMounts {
  readonly #layout: Layout;
  readonly #log: Logger;
  readonly #describe: (name: string) => MountedVolume | undefined;
  readonly #holders = new Map<string, Set<string>>();
  readonly #locks = new KeyedLocks();

  /** `describe` answers undefined for volumes that are but their folder, and unknown ones. */
  constructor(layout: Layout, log: Logger, describe: (name: string) => MountedVolume | undefined) {
    this.#layout = layout;
    this.#log = log;
    this.#describe = describe;
  }

  /**
   * Mounts what is not mounted yet. Rejects where the kernel refuses, with its words; the volumes before that one are
   * held then, until `release`.
   */
  async hold(holder: string, names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (this.#describe(name) === undefined) continue;
      using _ = await this.#locks.acquire(name);
      const volume = this.#describe(name);
      if (volume === undefined) continue;
      await this.#mount(volume);
      this.#add(name, holder);
    }
  }

  /** As `hold` of one volume, until it is disposed of. */
  async use(name: string): Promise<AsyncDisposable> {
    const holder = crypto.randomUUID();
    await this.hold(holder, [name]);
    return { [Symbol.asyncDispose]: () => this.release(holder) };
  }

  /** Unmounts what was held by it alone, `kept` aside. Idempotent, never rejects: what resists is left for the next daemon. */
  async release(holder: string, kept: readonly string[] = []): Promise<void> {
    const held = [...this.#holders].filter(([name, holders]) => holders.has(holder) && !kept.includes(name));
    for (const [name] of held) {
      using _ = await this.#locks.acquire(name);
      const holders = this.#holders.get(name);
      holders?.delete(holder);
      if (holders === undefined || holders.size > 0) continue;
      this.#holders.delete(name);
      try {
        await unmountAt(this.#layout.volumeData(name));
      } catch (error) {
        this.#log.error({ volume: name, error: errorMessage(error) }, "cannot unmount a volume");
      }
    }
  }

  /** Whether the volume never shows anything but its own folder. */
  isFolder(name: string): boolean {
    return this.#describe(name) === undefined;
  }

  /** Whether its folder shows another file system now. */
  isMounted(name: string): boolean {
    const data = this.#layout.volumeData(name);
    return mountsBelow(dirname(data)).includes(basename(data));
  }

  /** Whether it is being mounted or unmounted at this moment. */
  isChanging(name: string): boolean {
    return this.#locks.isHeld(name);
  }

  /** Resolves when it was not for a moment. */
  async settled(name: string): Promise<void> {
    using _ = await this.#locks.acquire(name);
  }

  /** The folder has another name by now, and what is mounted there went along. The volume was not changing. */
  renamed(old: string, name: string): void {
    const holders = this.#holders.get(old);
    if (holders === undefined) return;
    this.#holders.delete(old);
    this.#holders.set(name, holders);
  }

  /** Takes over what an earlier daemon mounted: `held` are the volumes of the containers that run, by their ids. */
  async recover(held: ReadonlyMap<string, readonly string[]>): Promise<void> {
    for (const [holder, names] of held) {
      for (const name of names) if (this.#describe(name) !== undefined) this.#add(name, holder);
    }
    const { volumes } = this.#layout;
    for (const place of mountsBelow(volumes)) {
      const name = dirname(place);
      const isOurs = join(volumes, place) === this.#layout.volumeData(name) && this.#describe(name) !== undefined;
      if (!isOurs || this.#holders.has(name)) continue;
      try {
        await unmountAt(join(volumes, place));
      } catch (error) {
        this.#log.error({ volume: name, error: errorMessage(error) }, "cannot unmount a volume");
      }
    }
  }

  /** Takes off everything in a volume's own folder, which is about to be removed. Rejects where something resists. */
  async clear(name: string): Promise<void> {
    const folder = join(this.#layout.volumes, name);
    if (mountsBelow(folder).length === 0) return;
    using _ = await this.#locks.acquire(name);
    this.#holders.delete(name);
    // The outermost first, which take the others along: one alone would go at its origin as well, where that is shared.
    for (const place of mountsBelow(folder)) await unmountAt(join(folder, place));
  }

  #add(name: string, holder: string): void {
    const holders = this.#holders.get(name) ?? new Set();
    holders.add(holder);
    this.#holders.set(name, holders);
  }

  async #mount(volume: MountedVolume): Promise<void> {
    const target = this.#layout.volumeData(volume.name);
    const late = AbortSignal.timeout(PATIENCE_MS);
    const mounted = this.isMounted(volume.name);
    try {
      if (!mounted) await mountInHelper(await this.#request(volume, target), late);
      else if (mayHang(volume)) await askHelper("look", { target }, late);
    } catch (error) {
      // It may have been about to succeed.
      if (late.aborted && !mounted) await unmountAt(target);
      const why = late.aborted ? `it was given up after ${PATIENCE_MS / 1000} seconds` : errorMessage(error);
      const message = `error while mounting volume '${target}': failed to mount local volume: ${why}`;
      throw new EngineError("internal", message, { cause: error });
    }
  }

  async #request({ name, source, size = 0 }: MountedVolume, target: string): Promise<MountHereRequest> {
    if (source === undefined) {
      const image = await makeImage(this.#layout, { name, size, project: null });
      // Blocks of removed files go back to the host.
      return { target, source: image, type: "ext4", options: "discard", image: true };
    }
    if (source.device === "") throw new EngineError("invalid", "missing device in volume options");
    const { device, type, options } = await resolveSource(source);
    return { target, source: device, type, options };
  }
}

/** Whether a server could be behind it. */
function mayHang({ source }: MountedVolume): boolean {
  return source !== undefined && source.type !== "tmpfs";
}

/** Where something is mounted in `folder`, relative to it, in the order of the kernel: `""` is the folder itself. */
function mountsBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const real = realpathSync(folder);
  return listMounts(real).map(({ mountPoint }) => relative(real, mountPoint));
}

/** What does not let go in time, as a server that is gone, goes out of sight. */
async function unmountAt(target: string): Promise<void> {
  const late = AbortSignal.timeout(PATIENCE_MS / 2);
  try {
    await askHelper("unmount", { target, lazy: false }, late);
  } catch (error) {
    if (!late.aborted) throw error;
    await askHelper("unmount", { target, lazy: true }, AbortSignal.timeout(PATIENCE_MS / 2));
  }
}
