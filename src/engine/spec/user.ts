/** Turns `--user` and `--group-add` into numbers by the container's own passwd and group files. */
import { closeSync, constants, fstatSync, readFileSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import { openInRoot } from "#linux/files.ts";
import { SyscallError } from "#linux/syscall-error.ts";

/** Who a process runs as. `additionalGids` holds the gid first, then the user's groups, then `groupAdd`, as Docker orders them. */
export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** Home folder of the passwd entry, "/" where there is none. */
  home: string;
  /** Empty where the uid has no passwd entry. */
  username: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

const MAX_ID = 2 ** 31 - 1;
/** What opening answers where there is no such file, or links lead astray. */
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EXDEV"]);
/** A file beyond this is no passwd file: it must not fill the daemon's memory. */
const MAX_FILE = 16 << 20;

/**
 * Resolves `user` ("", "name", "uid", "name:group", "uid:gid", …) and `groupAdd` inside `rootfs`.
 * Reads `/etc/passwd` and `/etc/group` without leaving `rootfs` through a link; either may be absent.
 *
 * Throws kind "invalid" with Docker's words for unknown names and ids out of range.
 */
export function resolveUser(rootfs: string, user: string, groupAdd: readonly string[] = []): ResolvedUser {
  const [userName = "", groupName = ""] = user.split(":");
  const passwd = parsePasswd(readInRoot(rootfs, "/etc/passwd"));
  const wanted = userName === "" ? 0 : numeric(userName);
  const entry = passwd.find((line) => (wanted === undefined ? line.name === userName : line.uid === wanted));
  if (entry === undefined && wanted === undefined) {
    throw new EngineError("invalid", `unable to find user ${userName}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? inRange(wanted ?? 0);
  if (groupName === "" && entry === undefined && groupAdd.length === 0) {
    return { uid, gid: 0, additionalGids: [0], home: "/", username: "" };
  }

  const groups = parseGroup(readInRoot(rootfs, "/etc/group"));
  const gid = groupName === "" ? (entry?.gid ?? 0) : explicitGroup(groups, groupName, "unable");
  // Membership counts only where the group was left to the files.
  const own = groupName === "" ? groups.filter((group) => group.members.includes(entry?.name ?? "")) : [];
  const added = groupAdd.map((name) => explicitGroup(groups, name, "Unable"));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...own.map((group) => group.gid), ...added])],
    home: entry?.home || "/",
    username: entry?.name ?? "",
  };
}

function explicitGroup(groups: readonly GroupEntry[], name: string, word: "unable" | "Unable"): number {
  const wanted = numeric(name);
  if (wanted !== undefined) return inRange(wanted);
  const entry = groups.find((group) => group.name === name);
  if (entry !== undefined) return entry.gid;
  throw new EngineError("invalid", `${word} to find group ${name}: no matching entries in group file`);
}

function numeric(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

function inRange(id: number): number {
  if (id >= 0 && id <= MAX_ID) return id;
  throw new EngineError("invalid", `uids and gids must be in range 0-${MAX_ID}`);
}

function parsePasswd(text: string): PasswdEntry[] {
  return fields(text).map(([name = "", , uid, gid, , home = ""]) => ({
    name,
    uid: Number(uid),
    gid: Number(gid),
    home,
  }));
}

function parseGroup(text: string): GroupEntry[] {
  return fields(text).map(([name = "", , gid, members = ""]) => ({
    name,
    gid: Number(gid),
    members: members.split(","),
  }));
}

/** Rows of a colon-separated file; blank lines, comments and rows without a number in third place are skipped. */
function fields(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"))
    .filter((row) => /^\d+$/.test(row[2] ?? ""));
}

/** Text of a regular file inside `rootfs`; "" where it is absent or something else. Never blocks on a fifo. */
function readInRoot(rootfs: string, path: string): string {
  let fd: number;
  try {
    fd = openInRoot(rootfs, path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    if (error instanceof SyscallError && ABSENT.has(error.code)) return "";
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return "";
    if (stat.size > MAX_FILE) throw new EngineError("invalid", `${path} of the image is too large: ${stat.size} bytes`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}
