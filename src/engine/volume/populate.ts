/** Gives a new volume the content that the image has at its place. */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type IdMap, toInside } from "#linux/id-map.ts";
import { openInRoot } from "#linux/files.ts";
import { packTree, unpackArchive } from "#linux/helper-client.ts";
import { SyscallError } from "#linux/syscall-error.ts";

const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

export interface VolumePlace {
  /** Its folder. */
  readonly data: string;
  /** The folder shows another file system: nothing can be renamed into its place. */
  readonly mounted: boolean;
}

/**
 * Copies `destination` inside `rootfs` into the folder, with owners, times and extended attributes, unless there is
 * something in it. Where `ids` is given, owners in `rootfs` are shifted and those in the folder are not.
 * Where the image has nothing there it stays as it is, as does one that cannot be written to. A crash leaves it empty, or
 * known to be half filled: call it again.
 */
export async function populateVolume(
  { data, mounted }: VolumePlace,
  rootfs: string,
  destination: string,
  ids?: IdMap,
  signal?: AbortSignal,
): Promise<void> {
  const part = mounted ? join(data, FILLING) : `${dirname(data)}/_new`;
  const whole = join(data, FILLED);
  if (mounted && existsSync(whole)) moveUp(whole, data);
  else if (readdirSync(data).some((name) => !mounted || name !== FILLING)) return;
  let folder: number;
  try {
    folder = openInRoot(rootfs, destination, constants.O_DIRECTORY);
  } catch (error) {
    if (error instanceof SyscallError && ABSENT.has(error.code)) return;
    throw error;
  }
  try {
    const { mode, ...owner } = fstatSync(folder);
    const uid = ids === undefined ? owner.uid : toInside(ids.uids, owner.uid);
    const gid = ids === undefined ? owner.gid : toInside(ids.gids, owner.gid);
    const dress = (path: string): void => {
      chownSync(path, uid, gid);
      chmodSync(path, mode & 0o7777);
    };
    const source = `/proc/${process.pid}/fd/${folder}`;
    if (readdirSync(source).length > 0) {
      rmSync(part, { recursive: true, force: true });
      mkdirSync(part);
      const packed = packTree({ root: source, mode: "plain", ...(ids && { ids }) }, signal);
      await unpackArchive({ archive: packed.stream, target: part, mode: "plain" }, signal);
      await packed.done;
      if (!mounted) {
        dress(part);
        // Replaces the empty folder in one step.
        return renameSync(part, data);
      }
      renameSync(part, whole);
      moveUp(whole, data);
    }
    dress(data);
  } catch (error) {
    if (!mounted || !hasErrnoName(error, "EROFS")) throw error;
  } finally {
    closeSync(folder);
  }
}

/** The content is whole; a crash in the middle is made up for by the next one who sees it. */
function moveUp(whole: string, data: string): void {
  for (const name of readdirSync(whole)) renameSync(join(whole, name), join(data, name));
  rmdirSync(whole);
}

function hasErrnoName(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

const FILLING = ".berth-filling";
const FILLED = ".berth-filled";
