/** Makes a tree in which everything is as it was elsewhere: nothing is replaced, nothing found, no link followed. */
import { EngineError } from "#lib/errors.ts";
import type { Moment } from "./archive-writer.ts";
import { type Attribute, show } from "./helper-calls.ts";
import { baseOf, parentOf } from "./helper-tree.ts";
import type { SyscallName } from "./libc.ts";
import type { VolumeCalls } from "./volume-calls.ts";

/** What an entry of any type is given. */
export interface Description {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits with set-user-id, set-group-id and sticky. */
  readonly permissions: number;
  readonly accessed: Moment;
  readonly modified: Moment;
  readonly attributes: readonly Attribute[];
}

/** The host's own label of a file, which means nothing where other rules hold. */
const hostLabel = "security.selinux";

/**
 * Names in open directories, latin1 for bytes; `shown` is the path for messages. Each must be new: a directory's entries
 * are made by one hand, from its making to its describing.
 */
export class NewTree {
  readonly #calls: VolumeCalls;
  readonly #root: number;

  constructor(calls: VolumeCalls, root: number) {
    this.#calls = calls;
    this.#root = root;
  }

  /** The new directory, open and nobody else's; the caller describes it when it has all its entries, and closes it. */
  directory(dir: number, name: string, shown: string): number {
    this.#must("mkdirat", shown, this.#calls.makeDirectory(dir, name, 0o700));
    return this.#must("openat", shown, this.#calls.openDirectory(dir, name));
  }

  /** Not before: a default ACL, a set-group-id bit or a read-only attribute would tell on its entries. */
  describeDirectory(fd: number, d: Description, shown: string): void {
    this.#describe(fd, d, shown);
  }

  /** Calls `fill` with the descriptor of the new, empty file. */
  file(dir: number, name: string, d: Description, shown: string, fill: (fd: number) => void): void {
    const fd = this.#must("openat", shown, this.#calls.makeFile(dir, name));
    try {
      fill(fd);
      this.#describe(fd, d, shown);
    } finally {
      this.#calls.close(fd);
    }
  }

  symlink(dir: number, name: string, target: string, d: Description, shown: string): void {
    this.#must("symlinkat", shown, this.#calls.makeSymlink(target, dir, name));
    this.#describeName(dir, name, d, shown, false);
  }

  /** Devices, fifos and sockets; `type` is S_IFCHR and so on, `device` as the kernel packs it. */
  node(dir: number, name: string, type: number, device: number, d: Description, shown: string): void {
    this.#must("mknodat", shown, this.#calls.makeNode(dir, name, type | 0o600, device));
    this.#describeName(dir, name, d, shown, true);
  }

  /** One more name of the file `first`, a path in this tree. */
  link(dir: number, name: string, first: string, shown: string): void {
    const from = this.#must("openat2", first, this.#calls.openInRoot(this.#root, parentOf(first)));
    try {
      this.#must("linkat", shown, this.#calls.link(from, baseOf(first), dir, name));
    } finally {
      this.#calls.close(from);
    }
  }

  /** In this order: writing and chown take capabilities and set-user-id away. */
  #describe(fd: number, d: Description, shown: string): void {
    this.#must("fchown", shown, this.#calls.chown(fd, d.uid, d.gid));
    for (const { name, value } of d.attributes) {
      this.#attribute(name, shown, this.#calls.setAttribute(fd, name, value, value.length));
    }
    this.#must("fchmod", shown, this.#calls.chmod(fd, d.permissions));
    this.#must("utimensat", shown, this.#calls.setTimes(fd, null, d.accessed, d.modified));
  }

  #describeName(dir: number, base: string, d: Description, shown: string, hasMode: boolean): void {
    this.#must("fchownat", shown, this.#calls.chownAt(dir, base, d.uid, d.gid));
    for (const { name, value } of d.attributes) {
      this.#attribute(name, shown, this.#calls.setAttributeAt(dir, base, name, value, value.length));
    }
    if (hasMode) this.#must("fchmodat", shown, this.#calls.chmodAt(dir, base, d.permissions));
    this.#must("utimensat", shown, this.#calls.setTimes(dir, base, d.accessed, d.modified));
  }

  #attribute(name: string, shown: string, result: number): void {
    if (result < 0 && name !== hostLabel) this.#must("fsetxattr", `${shown} ${name}`, result);
  }

  #must(call: SyscallName, shown: string, result: number): number {
    if (result < 0) throw this.#calls.fail(call, shown, result);
    return result;
  }
}

/** The error for a file whose content is not one that it had at any time. */
export function changedMeanwhile(shown: string): EngineError {
  return new EngineError(
    "conflict",
    `the file ${JSON.stringify(show(shown))} changed while it was read: pause or stop the containers that write to it`,
  );
}
