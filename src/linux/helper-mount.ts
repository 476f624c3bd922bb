/** Helper operations that mount by mount(2) and unmount: a server that is out of reach holds up nobody else. */
import { readFileSync, rmdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { cString, syscall } from "./libc.ts";
import { openLoopDevice } from "./loop-device.ts";
import { unmount } from "./mount.ts";
import { MS_BIND, MS_RDONLY, MS_REMOUNT, parseMountWords } from "./mount-options.ts";
import { unmountTree } from "./unmount-tree.ts";
import { EBUSY, ENODEV, errnoText, hasErrno } from "./syscall-error.ts";

export interface MountHereRequest {
  /** Existing folder. */
  readonly target: string;
  /** A device, or what the file system takes for one. */
  readonly source: string;
  /** As /proc/filesystems names it. */
  readonly type: string;
  /** As mount(8) takes them. */
  readonly options: string;
  /** `source` is a file with a file system in it, made by us: it gets a loop device. */
  readonly image?: boolean;
}

/**
 * Mounts, with the options from standard input. Throws kind "internal" with the words of Docker and of the kernel. What is
 * mounted has answered once when it returns.
 */
export function mountFromInput(request: Omit<MountHereRequest, "options">): void {
  mountHere({ ...request, options: readFileSync(0, "utf8") });
}

function mountHere(request: MountHereRequest): void {
  if (!request.image) {
    mountByWords(request);
    return lookHere(request);
  }
  using device = openLoopDevice(request.source);
  mountByWords({ ...request, source: device.path });
  // What mkfs leaves for fsck is no content.
  try {
    rmdirSync(join(request.target, "lost+found"));
  } catch {
    // Gone already, or of use by now.
  }
}

/** Returns when the file system at `target` has answered, well or badly: the daemon itself must not wait for a server. */
export function lookHere({ target }: { target: string }): void {
  try {
    statSync(target);
    statfsSync(target);
  } catch {
    // A refusal is an answer: who uses the folder meets it again, and says what it was for.
  }
}

/** Takes off all mounts at `target`; those in use, with `lazy` all, go out of sight, and end with their last user. */
export function unmountHere({ target, lazy }: { target: string; lazy: boolean }): void {
  for (let more = true; more;) {
    try {
      more = lazy ? unmountTree(target) : unmount(target);
    } catch (error) {
      if (!hasErrno(error, EBUSY)) throw error;
      more = unmountTree(target);
    }
  }
}

function mountByWords({ source, target, type, options }: MountHereRequest): void {
  const { flags, propagation, data } = parseMountWords(options);
  const call = (flagsNow: number, from: string, what: string, extra: string): void => {
    const result = syscall("mount", cString(from), cString(target), cString(what), flagsNow, cString(extra));
    if (result >= 0) return;
    const shown = [
      `mount ${source}:${target}`,
      ...(flagsNow === 0 ? [] : [`flags: 0x${flagsNow.toString(16)}`]),
      ...(extra === "" ? [] : [`data: ${hidePassword(extra)}`]),
    ];
    const why = result === -ENODEV ? ` (this kernel has no file system "${type}")` : "";
    throw new EngineError("internal", `${shown.join(", ")}: ${errnoText(-result)}${why}`);
  };
  call(flags, source, type, data);
  try {
    if (propagation !== 0) call(propagation, "", "", "");
    // A bind takes no flags when it is made.
    if ((flags & MS_BIND) !== 0 && (flags & MS_RDONLY) !== 0) call(flags | MS_REMOUNT, "", "", "");
  } catch (error) {
    unmount(target, { detach: true });
    throw error;
  }
}

function hidePassword(data: string): string {
  return data.replace(/(^|,)(pass|password|password2)=[^,]*/g, "$1$2=********");
}
