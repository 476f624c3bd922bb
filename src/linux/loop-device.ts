/** Shows a file as a block device, for as long as somebody has it open or mounted. */
import { constants, readdirSync, readFileSync, statSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import { closeFd, openPath } from "./descriptor.ts";
import { checked, syscall } from "./libc.ts";
import { EBUSY, hasErrno, SyscallError } from "./syscall-error.ts";

export interface LoopDevice extends Disposable {
  /** `/dev/loopN`. */
  readonly path: string;
}

/**
 * A device of the file `path`: the one that shows it already, else a new one, since two devices of one file would tear
 * a file system on it apart. It goes by itself when the last mount of it is gone and this is disposed of, also after a
 * crash. Throws SyscallError, and "unavailable" where the kernel gives no such devices.
 */
export function openLoopDevice(path: string): LoopDevice {
  const doing = `cannot make a loop device for ${path}`;
  const file = openPath(path, constants.O_RDWR);
  try {
    // The one that was found may be let go of, and the one that was free may be taken, at that very moment.
    for (let attempt = 1; ; attempt++) {
      const existing = findDevice(path);
      if (existing !== undefined) return existing;
      try {
        return configure(doing, freeDevice(doing), file);
      } catch (error) {
        if (!hasErrno(error, EBUSY) || attempt === ATTEMPTS) throw error;
      }
    }
  } finally {
    closeFd(file);
  }
}

function freeDevice(doing: string): string {
  let control: number;
  try {
    control = openPath("/dev/loop-control", constants.O_RDWR);
  } catch (cause) {
    if (!(cause instanceof SyscallError)) throw cause;
    throw new EngineError("unavailable", `${doing}: this kernel or host has no loop devices`, { cause });
  }
  try {
    return `/dev/loop${checked(doing, "LOOP_CTL_GET_FREE", "ioctl", control, LOOP_CTL_GET_FREE)}`;
  } finally {
    closeFd(control);
  }
}

function configure(doing: string, path: string, file: number): LoopDevice {
  const device = openPath(path, constants.O_RDWR);
  try {
    // struct loop_config { __u32 fd, block_size; struct loop_info64 info; __u64 reserved[8]; }
    const config = new Uint32Array(CONFIG_SIZE / 4);
    config[0] = file;
    config[(INFO_OFFSET + FLAGS_OFFSET) / 4] = LO_FLAGS_AUTOCLEAR;
    checked(doing, path, "ioctl", device, LOOP_CONFIGURE, config);
  } catch (error) {
    closeFd(device);
    throw error;
  }
  return opened(path, device);
}

function opened(path: string, fd: number): LoopDevice {
  return { path, [Symbol.dispose]: () => closeFd(fd) };
}

function findDevice(path: string): LoopDevice | undefined {
  const { dev, ino } = statSync(path, { bigint: true });
  for (const name of readdirSync("/sys/block")) {
    if (!name.startsWith("loop") || !hasFile(name)) continue;
    const device = `/dev/${name}`;
    let fd: number;
    try {
      // Not for writing: udev would look at the devices of others again.
      fd = openPath(device, constants.O_RDONLY);
    } catch {
      // Let go of meanwhile.
      continue;
    }
    const info = new BigUint64Array(INFO_SIZE / 8);
    if (syscall("ioctl", fd, LOOP_GET_STATUS64, info) === 0 && info[0] === dev && info[1] === ino) {
      return opened(device, fd);
    }
    closeFd(fd);
  }
  return undefined;
}

function hasFile(name: string): boolean {
  try {
    return readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8") !== "";
  } catch {
    return false;
  }
}

const ATTEMPTS = 50;
const LOOP_CTL_GET_FREE = 0x4c82;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_GET_STATUS64 = 0x4c05;
const LO_FLAGS_AUTOCLEAR = 4;
const INFO_OFFSET = 8;
const INFO_SIZE = 232;
const FLAGS_OFFSET = 52;
const CONFIG_SIZE = INFO_OFFSET + INFO_SIZE + 64;
