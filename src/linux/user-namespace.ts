/** User namespaces that exist before what is to live in them, so that files can be mounted with their owners shifted. */
import { writeFileSync } from "node:fs";
import { EngineError } from "#lib/errors.ts";
import { closeFd, openPath } from "./descriptor.ts";
import { formatRanges, type IdMap } from "./id-map.ts";

/**
 * Held by a process that does nothing and ends with whoever made it. The namespaces live on with those who joined them
 * meanwhile, and with descriptors.
 *
 * A thread cannot enter a user namespace, hence unshare(1), which every Debian and Ubuntu has.
 */
export class UserNamespace implements AsyncDisposable {
  readonly pid: number;
  readonly #end: () => Promise<void>;

  private constructor(pid: number, end: () => Promise<void>) {
    this.pid = pid;
    this.#end = end;
  }

  /**
   * `network` adds a network namespace that belongs to it. Rejects "unavailable" where the kernel makes none or
   * does not take the map.
   */
  static async create(map: IdMap, options: { network?: boolean } = {}): Promise<UserNamespace> {
    const kinds = ["--user", ...(options.network ? ["--net"] : [])];
    const child = Bun.spawn(["unshare", ...kinds, "cat"], {
      cwd: "/",
      env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const end = async (): Promise<void> => {
      child.kill("SIGKILL");
      await child.exited;
    };
    try {
      // It echoes once it is in its namespaces.
      await child.stdin.write("\n");
      await child.stdin.flush();
      const { done } = await child.stdout.getReader().read();
      if (done) throw new Error((await new Response(child.stderr).text()).trim());
      writeFileSync(`/proc/${child.pid}/uid_map`, formatRanges(map.uids));
      writeFileSync(`/proc/${child.pid}/gid_map`, formatRanges(map.gids));
    } catch (cause) {
      await end();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new EngineError("unavailable", `cannot make a user namespace: ${why}`, { cause });
    }
    return new UserNamespace(child.pid, end);
  }

  /** For others to join while this is not disposed. */
  path(kind: "user" | "net"): string {
    return `/proc/${this.pid}/ns/${kind}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

/** On disk, what a mount of `OwnerShift` lets the host's own root write. Nobody's id: no map may hold it. */
export const HOST_ROOT_ON_DISK = 2 ** 31 - 1;

/**
 * For mounts on which what is owned by an id inside `map` on disk belongs to the host's id for it: give `fd` to
 * `bindMount`, then dispose.
 *
 * Overlayfs makes its own files as the host's root, so that needs a counterpart on disk too: one that the map itself,
 * hence the container, does not have.
 */
export class OwnerShift implements Disposable {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Rejects as `UserNamespace.create`. Without `hostRoot` it is for mounts on which overlayfs makes nothing. */
  static async create({ uids, gids }: IdMap, options: { hostRoot?: boolean } = {}): Promise<OwnerShift> {
    const root = options.hostRoot === false ? [] : [{ inside: HOST_ROOT_ON_DISK, outside: 0, size: 1 }];
    await using namespace = await UserNamespace.create({ uids: [...uids, ...root], gids: [...gids, ...root] });
    return new OwnerShift(openPath(namespace.path("user"), 0));
  }

  [Symbol.dispose](): void {
    closeFd(this.fd);
  }
}
