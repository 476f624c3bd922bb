/** Mounts in the mount namespace of a running container: puts them there, finds them and takes them away. */
import { fstatSync, readFileSync, statSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import type { BindOptions, Propagation } from "./bind-mount.ts";
import { closeFd } from "./descriptor.ts";
import { openInRoot } from "./files.ts";
import { helperCommand } from "./helper.ts";
import type { MountAnswer, MountRequest, MountResult } from "./helper-mounts.ts";
import { O_PATH } from "./libc.ts";
import type { FileSystemMount } from "./mount.ts";
import { mountIdOf, type MountInfo, parseMountinfo } from "./mountinfo.ts";
import { ENOENT, ENOTDIR, hasErrno, SyscallError } from "./syscall-error.ts";

/** A mount without a place. */
export interface LooseMount {
  readonly tree: number;
  /** The kernel's number of it, which it keeps when it gets a place. */
  readonly id: number;
}

/** Where and how a mount without a place gets one. */
export interface AttachOptions {
  readonly destination: string;
  /** What is made where nothing is, with the folders on the way there. */
  readonly sort: "folder" | "file";
  readonly propagation?: Propagation;
  /** Of what is made. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** A mount as it is found at a path. */
export interface FoundMount {
  /** It and those below it, the innermost first. */
  readonly tree: readonly MountInfo[];
  readonly device: number;
  readonly inode: number;
}

/** A mount that was taken off. */
export interface DetachedMount extends LooseMount {
  readonly place: string;
}

const PATIENCE_MS = 30_000;

/**
 * Holds mounts without a place until it is disposed, and gives them one in a container. A process of its own: a thread
 * of the daemon that is started while another one is in a container's namespace would stay there and keep its mounts.
 * It dies with the daemon.
 *
 * Containers are named by a process in them, which the caller keeps from being another one's. Paths are looked up as a
 * process of the container would, links included. All methods reject with SyscallError.
 */
export class MountSession implements AsyncDisposable {
  #helper: ReturnType<typeof startHelper> | undefined;

  /** A copy of a mount of the host (see `cloneMount`). */
  async clone(source: string, { owners, ...options }: BindOptions): Promise<LooseMount> {
    const shift = owners === undefined ? {} : { owners: `/proc/${process.pid}/fd/${owners.fd}` };
    return this.#one({ do: "clone", source, options, ...shift });
  }

  async make(fileSystem: FileSystemMount): Promise<LooseMount> {
    return this.#one({ do: "make", fileSystem });
  }

  /** Answers what was made for the mount point, the outermost first. */
  async attach(pid: number, { tree }: LooseMount, options: AttachOptions): Promise<readonly string[]> {
    const { made = [] } = await this.#ask({ do: "attach", namespace: namespaceOf(pid), tree, ...options });
    return made;
  }

  /**
   * Takes a mount and those below it off, all or none. Rejects "conflict" (EBUSY) while one is in use, unless `lazy`:
   * then who uses it keeps it.
   */
  async detach(pid: number, mount: Pick<FoundMount, "tree">, options: { lazy: boolean }): Promise<DetachedMount[]> {
    const all = mount.tree.map(({ mountPoint }) => mountPoint);
    const places = options.lazy ? all.slice(-1) : all;
    const request = { do: "detach", namespace: namespaceOf(pid), places, lazy: options.lazy } as const;
    const { trees = [] } = await this.#ask(request);
    return trees.map((loose, index) => ({ ...loose, place: places[index] ?? "" }));
  }

  /** Puts back what `detach` took off. */
  async putBack(pid: number, detached: readonly DetachedMount[]): Promise<void> {
    for (const mount of detached.toReversed()) {
      const isFolder = statSync(`/proc/${pid}/root${mount.place}`, { throwIfNoEntry: false })?.isDirectory() ?? true;
      await this.attach(pid, mount, { destination: mount.place, sort: isFolder ? "folder" : "file" });
    }
  }

  /** Removes what `attach` made, as far as it is empty. */
  async removeMade(pid: number, made: readonly string[]): Promise<void> {
    if (made.length === 0) return;
    await this.#ask({ do: "remove", namespace: namespaceOf(pid), paths: made.toReversed() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const helper = this.#helper;
    this.#helper = undefined;
    if (helper === undefined || helper.child.killed) return;
    await helper.child.stdin.end();
    await helper.child.exited;
  }

  async #one(request: MountRequest): Promise<LooseMount> {
    const [loose] = (await this.#ask(request)).trees ?? [];
    if (loose === undefined) throw new EngineError("internal", "the mount helper gave no mount");
    return loose;
  }

  async #ask(request: MountRequest): Promise<MountResult> {
    const { child, lines } = (this.#helper ??= startHelper());
    void child.stdin.write(`${JSON.stringify(request)}\n`);
    await child.stdin.flush();
    const { value, done } = await withinTime(lines.next(), () => child.kill("SIGKILL"));
    if (done) throw new EngineError("unavailable", "the mount helper has ended");
    const answer = JSON.parse(value) as MountAnswer;
    if ("failure" in answer) throw new SyscallError(answer.failure);
    if ("error" in answer) throw new EngineError("internal", answer.error);
    return answer;
  }
}

function startHelper() {
  const child = Bun.spawn([...helperCommand(), "mounts", JSON.stringify({ parent: process.pid })], {
    cwd: "/",
    env: {},
    stdio: ["pipe", "pipe", "ignore"],
  });
  return { child, lines: linesOf(child.stdout) };
}

/** A file system that is out of reach can hold up whoever looks at it for good. */
async function withinTime<T>(work: Promise<T>, giveUp: () => void): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    giveUp();
    late.reject(new EngineError("unavailable", `mounting was given up after ${PATIENCE_MS / 1000} seconds`));
  }, PATIENCE_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}

function namespaceOf(pid: number): string {
  return `/proc/${pid}/ns/mnt`;
}

/** The mount whose root is at `path` of the container of process `pid`; undefined where there is none. */
export function findMount(pid: number, path: string): FoundMount | undefined {
  let fd: number;
  try {
    fd = openInRoot(`/proc/${pid}/root`, path, O_PATH);
  } catch (error) {
    if (hasErrno(error, ENOENT, ENOTDIR)) return undefined;
    throw error;
  }
  try {
    const { dev: device, ino: inode } = fstatSync(fd);
    const table = mountsOf(pid);
    const id = mountIdOf(fd);
    const top = table.find((mount) => mount.id === id);
    if (top === undefined) return undefined;
    const root = statSync(`/proc/${pid}/root${top.mountPoint}`, { throwIfNoEntry: false });
    if (root?.dev !== device || root.ino !== inode) return undefined;
    return { tree: subtree(table, top), device, inode };
  } finally {
    closeFd(fd);
  }
}

/** The mount with the number `id` and those below it; undefined where the container has none. */
export function findMountById(pid: number, id: number): Pick<FoundMount, "tree"> | undefined {
  const table = mountsOf(pid);
  const top = table.find((mount) => mount.id === id);
  return top === undefined ? undefined : { tree: subtree(table, top) };
}

/** The mounts that the container of process `pid` sees. */
export function mountsOf(pid: number): MountInfo[] {
  return parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
}

/** The innermost first. */
function subtree(table: readonly MountInfo[], top: MountInfo): MountInfo[] {
  const inner = table.filter(({ parent, id }) => parent === top.id && id !== top.id);
  return [...inner.flatMap((one) => subtree(table, one)), top];
}
