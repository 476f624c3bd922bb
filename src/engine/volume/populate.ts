/** Gives a new volume the content that the image has at its place. */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname } from "node:path";
import { type IdMap, toInside } from "#linux/id-map.ts";
import { openInRoot } from "#linux/files.ts";
import { packTree, unpackArchive } from "#linux/helper-client.ts";
import { SyscallError } from "#linux/syscall-error.ts";

const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

/**
 * Copies `destination` inside `rootfs` into the empty folder `data`, with owners, times and extended attributes.
 * Where `ids` is given, owners in `rootfs` are shifted and those in `data` are not.
 * Where the image has nothing there `data` stays as it is. A crash leaves `data` empty: call it again.
 */
export async function populateVolume(
  data: string,
  rootfs: string,
  destination: string,
  ids?: IdMap,
  signal?: AbortSignal,
): Promise<void> {
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
    const source = `/proc/${process.pid}/fd/${folder}`;
    if (readdirSync(source).length === 0) {
      chownSync(data, uid, gid);
      chmodSync(data, mode & 0o7777);
      return;
    }
    const fresh = `${dirname(data)}/_new`;
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh);
    const packed = packTree({ root: source, mode: "plain", ...(ids && { ids }) }, signal);
    await unpackArchive({ archive: packed.stream, target: fresh, mode: "plain" }, signal);
    await packed.done;
    chownSync(fresh, uid, gid);
    chmodSync(fresh, mode & 0o7777);
    // Replaces the empty folder in one step.
    renameSync(fresh, data);
  } finally {
    closeSync(folder);
  }
}
