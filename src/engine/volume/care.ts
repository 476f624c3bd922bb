/** What can be done to whole volumes beside making and removing them: rename, copy, back up, restore, measure. */
import type { VolumeCopied, VolumeRestored, VolumesUsage } from "#api/types/volume-care.ts";
import { EngineError } from "#lib/errors.ts";
import type { Lendable } from "#linux/helper-client.ts";
import { backUpTree, copyTree, measureTrees, restoreTree, type TreeBackup } from "#linux/volume-trees.ts";
import type { CareContext } from "./care-context.ts";
import { removeStaged, stage } from "./content.ts";
import { readManifest, writeManifest } from "./manifest.ts";
import { checkVolumeName } from "./names.ts";
import { Pauses } from "./pauses.ts";
import { finishRenames, renameVolume } from "./rename.ts";

/** Says that nobody chose the volume's name: who copies or restores it does. */
const ANONYMOUS = /^com\.docker\.volume\.anonymous$/;
/** Says that a project owns the volume: it owns no copy. */
const OWNER = /^com\.docker\.compose\./;

export class VolumeCare {
  readonly #context: CareContext;
  readonly #pauses: Pauses;

  constructor(context: CareContext) {
    this.#context = context;
    this.#pauses = new Pauses(context);
  }

  /** Mends the folders of volumes, before anything else looks at them. */
  recoverFolders(): void {
    finishRenames(this.#context);
    removeStaged(this.#context);
  }

  /** When containers are adopted. */
  async recoverContainers(): Promise<void> {
    await this.#pauses.recover();
  }

  rename(name: string, newName: string): Promise<void> {
    return renameVolume(this.#context, name, newName);
  }

  /**
   * Into a new volume, an empty one, or with `replace` in the place of another's content. Rejects "not-found",
   * "invalid" (the name) and "conflict" (content or running containers in the way, a file that changes meanwhile).
   */
  async copy(
    name: string,
    target: string,
    options: { replace: boolean; pause: boolean },
    signal: AbortSignal,
  ): Promise<VolumeCopied> {
    const { volumes, layout, emit } = this.#context;
    const { Labels } = volumes.inspect(name);
    checkVolumeName(target);
    if (target === name) throw new EngineError("invalid", `copy ${name}: a volume cannot be copied to itself`);
    using _work = volumes.works.begin(name, "copy");
    await using staged = stage(this.#context, `copy ${name}`, options.replace ? "any" : "empty", target);
    let copied: { entries: number; bytes: number };
    {
      await using _mounted = await volumes.mounts.use(name);
      await using _paused = options.pause ? await this.#pauses.hold(name) : undefined;
      copied = await copyTree(layout.volumeData(name), staged.path, signal);
    }
    await staged.commit(target, without(Labels ?? {}, ANONYMOUS, OWNER));
    emit("volume", "copy", target, { driver: "local", source: name });
    return { Name: target, Entries: copied.entries, Bytes: copied.bytes };
  }

  /**
   * A sealed archive, to be read or written once. Rejects "not-found". What fails later does so where it is read or
   * written, after bytes that end with the reason (`lib/seal.ts`): such an archive is refused by `restore`.
   */
  async backup(name: string, options: { pause: boolean }, signal: AbortSignal): Promise<TreeBackup> {
    const { volumes, layout, emit } = this.#context;
    const manifest = writeManifest(volumes.inspect(name), new Date());
    await using undo = new AsyncDisposableStack();
    undo.use(volumes.works.begin(name, "backup"));
    undo.use(await volumes.mounts.use(name));
    if (options.pause) undo.use(await this.#pauses.hold(name));
    const backup = backUpTree(layout.volumeData(name), manifest, signal);
    const held = undo.move();
    const done = (): void => emit("volume", "backup", name, { driver: "local" });
    return {
      async *[Symbol.asyncIterator]() {
        await using _held = held;
        yield* backup;
        done();
      },
      async writeTo(answer) {
        await using _held = held;
        await backup.writeTo(answer);
        done();
      },
    };
  }

  /**
   * Into a new volume, `name` or what the backup names, or with `replace` in the place of the content of `name`: only
   * when everything is there and the digest is right. Rejects "invalid" (no whole backup, the name) and "conflict".
   */
  async restore(
    options: { name?: string; replace: boolean },
    archive: Lendable,
    signal: AbortSignal,
  ): Promise<VolumeRestored> {
    const { replace } = options;
    const doing = options.name === undefined ? "restore" : `restore ${options.name}`;
    if (options.name !== undefined) checkVolumeName(options.name);
    else if (replace) throw new EngineError("invalid", "restore: the volume to be replaced must be named");
    await using staged = stage(this.#context, doing, replace ? "any" : "none", options.name);
    const restored = await restoreTree(archive, staged.path, signal);
    const { volume, labels } = readManifest(restored.manifest);
    const name = options.name ?? checkVolumeName(volume);
    await staged.commit(name, without(labels, ANONYMOUS));
    this.#context.emit("volume", "restore", name, { driver: "local" });
    const { entries, bytes, sockets } = restored;
    return { Name: name, Entries: entries, Bytes: bytes, Sockets: sockets };
  }

  /** Of the named volumes, or all. Rejects "not-found". */
  async usage(names: readonly string[], signal: AbortSignal): Promise<VolumesUsage> {
    const { volumes, containers, layout } = this.#context;
    const asked = names.length === 0 ? volumes.list() : [...new Set(names)].map((name) => volumes.inspect(name));
    await using shown = new AsyncDisposableStack();
    // What another file system holds that nobody uses now is not to be had without mounting it.
    const there = asked.filter(({ Name, Options }) => !Options?.["device"] || volumes.mounts.isMounted(Name));
    for (const { Name } of there) {
      if (volumes.mounts.isFolder(Name)) continue;
      shown.use(volumes.works.begin(Name, "du"));
      shown.use(await volumes.mounts.use(Name));
    }
    const paths = there.map(({ Name }) => `${Name}/_data`);
    const measured = await measureTrees(layout.volumes, paths, signal);
    const sizes = new Map(there.map(({ Name }, index) => [Name, measured[index]]));
    return {
      Volumes: asked.map(({ Name: name }) => ({
        Name: name,
        Size: sizes.get(name)?.bytes ?? -1,
        ApparentSize: sizes.get(name)?.content ?? -1,
        Files: sizes.get(name)?.inodes ?? -1,
        Containers: volumes.users(name).flatMap((id) => {
          const container = containers.find(id);
          return container === undefined ? [] : [{ Id: id, Name: container.name, State: container.state.status }];
        }),
      })),
    };
  }
}

function without(labels: Readonly<Record<string, string>>, ...names: readonly RegExp[]): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([label]) => !names.some((name) => name.test(label))));
}
