/** Gives a volume another name, on disk and for every container that uses it, running ones too. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "#engine/container/container.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { Rename } from "./care-journal.ts";
import type { CareContext } from "./care-context.ts";
import { volumesOf } from "./mount.ts";
import { checkVolumeName } from "./names.ts";
import { parseVolumeSpec } from "./spec.ts";
import { type LockedUsers, lockUsers } from "./users.ts";

/**
 * A crash leaves the old name or the new one. Mounts of running containers do not care about names; what reads their
 * records does, and these change with the volume.
 *
 * Rejects "not-found", "invalid" (the new name) and "conflict" (taken, or some other work is under way on the volume).
 */
export async function renameVolume(context: CareContext, old: string, name: string): Promise<void> {
  const { volumes, containers, journal, layout, emit } = context;
  volumes.inspect(old);
  checkVolumeName(name);
  if (name === old) throw new EngineError("invalid", `rename ${old}: the new name is the old one`);
  using held = await lockStill(context, old);
  volumes.inspect(old);
  const works = volumes.works.of(old);
  if (works.length > 0) throw new EngineError("conflict", `rename ${old}: volume is in use - [${works.join(", ")}]`);
  if (volumes.has(name)) throw new EngineError("conflict", `rename ${old}: a volume named ${name} exists already`);
  const rename: Rename = { old, new: name };
  const before = held.containers.map((container) => [container, structuredClone(container.record)] as const);
  const back = (): void => before.forEach(([container, record]) => containers.replaceRecord(container, record));
  // From here to the end nobody else runs.
  try {
    journal.rename(rename, () => held.containers.forEach((container) => follow(context, container, rename)));
  } catch (error) {
    for (const [container, record] of before) Object.assign(container.record, record);
    throw error;
  }
  try {
    moveFolder(layout.volumes, rename);
    volumes.mounts.renamed(old, name);
  } catch (error) {
    journal.takeBack(rename, back);
    throw new EngineError("internal", `rename ${old}: ${errorMessage(error)}`, { cause: error });
  }
  journal.renamed(rename);
  emit("volume", "rename", name, { driver: "local", oldName: old });
}

/** As `lockUsers`, while nothing is being mounted or unmounted at the volume's folder: what is mounted goes with it. */
async function lockStill(context: CareContext, volume: string): Promise<LockedUsers> {
  const { mounts } = context.volumes;
  for (;;) {
    const held = await lockUsers(context, volume);
    if (!mounts.isChanging(volume)) return held;
    held[Symbol.dispose]();
    await mounts.settled(volume);
  }
}

type RenameContext = Pick<CareContext, "journal" | "layout" | "containers" | "engine">;

/**
 * Lets folders follow whose volumes have their new names already. Before anything else looks at the folders. A volume
 * whose folder cannot follow has its old name again.
 */
export function finishRenames(context: RenameContext): void {
  const { journal, layout, containers, engine } = context;
  for (const rename of journal.renames()) {
    try {
      if (existsSync(join(layout.volumes, rename.old))) moveFolder(layout.volumes, rename);
      journal.renamed(rename);
    } catch (error) {
      engine.log.error({ volume: rename.old, name: rename.new, error: errorMessage(error) }, "cannot rename a volume");
      const back: Rename = { old: rename.new, new: rename.old };
      const users = containers.all().filter(({ record }) => volumesOf(record.mounts).includes(rename.new));
      journal.takeBack(rename, () => users.forEach((container) => follow(context, container, back)));
    }
  }
}

/** On the disk when it returns. Where it throws the folder has its old name. */
function moveFolder(volumes: string, { old, new: name }: Rename): void {
  const folder = openSync(volumes, "r");
  try {
    renameSync(join(volumes, old), join(volumes, name));
    try {
      fsyncSync(folder);
    } catch (error) {
      renameSync(join(volumes, name), join(volumes, old));
      throw error;
    }
  } finally {
    closeSync(folder);
  }
}

function follow({ containers, layout }: RenameContext, container: Container, { old, new: name }: Rename): void {
  const place = (volume: string): string => layout.volumeData(volume);
  containers.replaceRecord(container, withRenamedVolume(container.record, old, name, place));
}

/** The record with the volume's new name wherever it had the old one. `volumePath`: where a volume's data is. */
export function withRenamedVolume(
  record: ContainerRecord,
  old: string,
  name: string,
  volumePath: (volume: string) => string,
): ContainerRecord {
  const { hostConfig } = record;
  return {
    ...record,
    hostConfig: {
      ...hostConfig,
      Binds: hostConfig.Binds?.map((bind) => renamedBind(bind, old, name)) ?? null,
      ...(hostConfig.Mounts && {
        Mounts: hostConfig.Mounts.map((mount) =>
          (mount.Type ?? "volume") === "volume" && mount.Source === old ? { ...mount, Source: name } : mount,
        ),
      }),
    },
    mounts: record.mounts.map((mount) => {
      if (mount.volume?.name !== old) return mount;
      const source = volumePath(name) + mount.source.slice(volumePath(old).length);
      return { ...mount, source, volume: { ...mount.volume, name, anonymous: false } };
    }),
  };
}

function renamedBind(bind: string, old: string, name: string): string {
  return parseVolumeSpec(bind).source === old ? name + bind.slice(old.length) : bind;
}
