/** Turns `--user` and `--group-add` into numbers by the container's own passwd and group files. */
import { EngineError } from "#lib/errors.ts";

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

/**
 * Resolves `user` ("", "name", "uid", "name:group", "uid:gid", …) and `groupAdd` inside `rootfs`.
 * Reads `/etc/passwd` and `/etc/group` without leaving `rootfs` through a link; either may be absent.
 *
 * Throws kind "invalid" with Docker's words for unknown names and ids out of range.
 */
export function resolveUser(rootfs: string, user: string, groupAdd: readonly string[] = []): ResolvedUser {
  throw new EngineError("not-implemented", `cannot resolve ${user} in ${rootfs} with ${groupAdd.join()}`);
}
