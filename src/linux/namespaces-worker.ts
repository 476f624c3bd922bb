/** The threads that enter network namespaces and wait for slow walks of the kernel, so that the main one does neither. */
// No node: imports here: this thread costs 4.5 MB without them and 11 MB with node:fs.
import { AT_FDCWD, AT_REMOVEDIR, checked, cString, O_CLOEXEC, O_CREAT, O_EXCL, syscall } from "./libc.ts";
import { forgetFlows, type FlowsTo } from "./netlink-netfilter.ts";
import { Netlink, NETLINK_NETFILTER } from "./netlink.ts";
import { away, CLONE_NEWNET, enter, inNamespace, OWN_NAMESPACE } from "./network-namespace.ts";
import { Nftables } from "./nftables.ts";
import { EINVAL, ENOENT, SyscallError, type SyscallFailure } from "./syscall-error.ts";

/** What the thread can do. `namespace` is a path: a bind-mounted namespace or one of /proc. */
export type NamespaceRequest =
  | { readonly do: "create-network"; readonly path: string; readonly existing?: string }
  | {
      readonly do: "socket";
      readonly namespace: string;
      readonly domain: number;
      readonly type: number;
      readonly protocol: number;
    }
  | { readonly do: "write-files"; readonly namespace: string; readonly files: Readonly<Record<string, string>> }
  | { readonly do: "nft"; readonly namespace: string; readonly doing: string; readonly script: string }
  | { readonly do: "forget-flows"; readonly flows: readonly FlowsTo[] }
  | { readonly do: "unmount"; readonly path: string; readonly remove?: "file" | "folder" };

export type NamespaceAnswer =
  | { readonly id: number; readonly result: number }
  | { readonly id: number; readonly failure: SyscallFailure }
  | { readonly id: number; readonly error: string };

declare const self: Worker;

/** After so many requests garbage goes: left to itself, a thread's heap grows by several MB first. */
const ROUND = 64;

self.addEventListener("message", ({ data }: MessageEvent<{ id: number; request: NamespaceRequest }>) => {
  postMessage(answer(data.id, data.request));
  if (data.id % ROUND === ROUND - 1) Bun.gc(true);
});

function answer(id: number, request: NamespaceRequest): NamespaceAnswer {
  try {
    return { id, result: perform(request) };
  } catch (error) {
    if (!(error instanceof SyscallError)) return { id, error: error instanceof Error ? error.message : String(error) };
    const { doing, call, args, errno } = error;
    return { id, failure: { doing, call, args, errno } };
  }
}

function perform(request: NamespaceRequest): number {
  switch (request.do) {
    case "create-network":
      return createNetwork(request.path, request.existing);
    case "socket":
      return inNamespace(request.namespace, () => openSocket(request.domain, request.type, request.protocol));
    case "write-files":
      return inNamespace(request.namespace, () => {
        for (const [path, text] of Object.entries(request.files)) writeFile(path, text);
        return 0;
      });
    case "nft":
      return inNamespace(request.namespace, () => {
        using nft = new Nftables();
        nft.run(request.doing, request.script);
        return 0;
      });
    case "forget-flows": {
      // This thread does nothing else, and requests go first.
      syscall("setpriority", PRIO_PROCESS, 0, 10);
      using netlink = Netlink.open(NETLINK_NETFILTER);
      return forgetFlows(netlink, request.flows);
    }
    case "unmount":
      return unmountAndRemove(request.path, request.remove);
  }
}

/** A new namespace, or the existing one, kept by a mount on a new file at `path`, and a NETLINK_ROUTE socket inside it. */
function createNetwork(path: string, existing: string | undefined): number {
  const doing = `cannot create the network namespace ${path}`;
  const file = checked(doing, path, "openat", AT_FDCWD, cString(path), O_CREAT | O_EXCL | O_CLOEXEC, 0o444);
  syscall("close", file);
  try {
    return away(() => {
      if (existing === undefined) checked(doing, "CLONE_NEWNET", "unshare", CLONE_NEWNET);
      else enter(doing, existing);
      checked(doing, path, "mount", cString(OWN_NAMESPACE), cString(path), null, MS_BIND, null);
      return openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    });
  } catch (error) {
    syscall("umount2", cString(path), MNT_DETACH);
    syscall("unlinkat", AT_FDCWD, cString(path), 0);
    throw error;
  }
}

function openSocket(domain: number, type: number, protocol: number): number {
  const shown = `domain ${domain} type ${type} protocol ${protocol}`;
  return checked("cannot open a socket in a network namespace", shown, "socket", domain, type | SOCK_CLOEXEC, protocol);
}

function writeFile(path: string, text: string): void {
  const doing = `cannot write ${path}`;
  const fd = checked(doing, path, "openat", AT_FDCWD, cString(path), O_WRONLY | O_CLOEXEC);
  try {
    const bytes = new TextEncoder().encode(text);
    checked(doing, JSON.stringify(text), "write", fd, bytes, bytes.length);
  } finally {
    syscall("close", fd);
  }
}

/** 1 when something was mounted, else 0; absent paths are fine. */
function unmountAndRemove(path: string, remove: "file" | "folder" | undefined): number {
  // A file is a namespace: whoever is just entering it may do so, and it lives until they leave.
  const flags = UMOUNT_NOFOLLOW | (remove === "file" ? MNT_DETACH : 0);
  const result = syscall("umount2", cString(path), flags);
  if (result < 0 && result !== -EINVAL && result !== -ENOENT) {
    throw new SyscallError({ doing: `cannot unmount ${path}`, call: "umount2", args: path, errno: -result });
  }
  if (remove !== undefined) {
    const removed = syscall("unlinkat", AT_FDCWD, cString(path), remove === "folder" ? AT_REMOVEDIR : 0);
    if (removed < 0 && removed !== -ENOENT) {
      throw new SyscallError({ doing: `cannot remove ${path}`, call: "unlinkat", args: path, errno: -removed });
    }
  }
  return result === 0 ? 1 : 0;
}

const PRIO_PROCESS = 0;
const MS_BIND = 4096;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const O_WRONLY = 1;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
