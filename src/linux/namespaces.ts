/** Network namespaces, slow unmounts and searches of tracked flows, done by threads of their own so that the main thread neither moves nor waits. */
import { EngineError } from "#lib/errors.ts";
import type { NamespaceAnswer, NamespaceRequest } from "./namespaces-worker.ts";
import type { FlowsTo } from "./netlink-netfilter.ts";
import { SyscallError } from "./syscall-error.ts";

/** A network namespace: the path it is mounted on, or a process in it. */
export type NamespaceRef = string | number;

/**
 * Does the work that must not happen on the main thread. Requests of one sort run one after another. The threads
 * start with the first request (4 ms, 4.5 MB each) and do not keep the program alive while idle.
 *
 * Rejects with SyscallError. Holds no state: a namespace lives as long as its mount, also after a crash.
 */
export class NamespaceWorker implements Disposable {
  readonly #namespaces = new RequestThread();
  // Writing an overlay to disk can take seconds, and the next container must not wait for it.
  readonly #unmounts = new RequestThread();
  // Its length is that of the host's table of flows, which no container's start must wait for either.
  readonly #flows = new RequestThread();

  /** Starts the threads now, so that the first request does not wait for them. */
  warm(): void {
    this.#namespaces.start();
    this.#unmounts.start();
  }

  /**
   * Creates a network namespace that lives until `removeNetworkNamespace(path)`, mounted on the new file `path`,
   * with nothing up in it. Resolves with a NETLINK_ROUTE socket opened inside, which the caller closes and which
   * also works on the main thread. Rejects "conflict" when `path` exists.
   * With `existing`, the path of a namespace, keeps that one instead of creating one.
   */
  createNetworkNamespace(path: string, existing?: string): Promise<number> {
    return this.#namespaces.request({ do: "create-network", path, ...(existing !== undefined && { existing }) });
  }

  /** Unmounts and removes the file; the namespace goes with its last process. Idempotent. */
  async removeNetworkNamespace(path: string): Promise<void> {
    await this.#namespaces.request({ do: "unmount", path, remove: "file" });
  }

  /** A NETLINK_ROUTE socket inside an existing namespace; the caller closes it. Rejects "not-found" for a process that is gone. */
  netlinkSocketIn(namespace: NamespaceRef): Promise<number> {
    return this.socketIn(namespace, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  }

  /** Any socket inside a namespace, close-on-exec and blocking unless `type` says otherwise; the caller closes it. */
  socketIn(namespace: NamespaceRef, domain: number, type: number, protocol = 0): Promise<number> {
    return this.#namespaces.request({ do: "socket", namespace: pathOf(namespace), domain, type, protocol });
  }

  /** Writes sysctl files (`/proc/sys/net/…`) as seen inside the namespace, in order; stops at the first that fails. */
  async writeFilesIn(namespace: NamespaceRef, files: Readonly<Record<string, string>>): Promise<void> {
    await this.#namespaces.request({ do: "write-files", namespace: pathOf(namespace), files });
  }

  /** Runs an nftables script (as `Nftables.run`) inside the namespace. `doing` opens the message of an error. */
  async nftIn(namespace: NamespaceRef, doing: string, script: string): Promise<void> {
    await this.#namespaces.request({ do: "nft", namespace: pathOf(namespace), doing, script });
  }

  /** Unmounts `path`: true when something was mounted there. Nothing there, or no such path, is fine. Rejects "conflict" when in use. */
  async unmount(path: string): Promise<boolean> {
    return (await this.#unmounts.request({ do: "unmount", path })) === 1;
  }

  /** As `unmount`, then removes the empty folder that was the mount point. Idempotent. */
  async unmountAndRemove(path: string): Promise<void> {
    await this.#unmounts.request({ do: "unmount", path, remove: "folder" });
  }

  /** Forgets flows of this program's own namespace (see `forgetFlows`); answers how many. */
  forgetFlows(flows: readonly FlowsTo[]): Promise<number> {
    return this.#flows.request({ do: "forget-flows", flows });
  }

  /** Ends the threads; what is still pending rejects with kind "unavailable". */
  close(): void {
    this.#namespaces.close();
    this.#unmounts.close();
    this.#flows.close();
  }
  [Symbol.dispose](): void {
    this.close();
  }
}

type Waiting = PromiseWithResolvers<number>;

/** A thread that answers requests in order, started when first needed and again after it died. */
class RequestThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 0;
  #closed = false;

  request(request: NamespaceRequest): Promise<number> {
    if (this.#closed) return Promise.reject(new EngineError("unavailable", "the namespace thread has ended"));
    const id = this.#next++;
    const waiting = Promise.withResolvers<number>();
    this.#waiting.set(id, waiting);
    const worker = this.start();
    worker.ref();
    worker.postMessage({ id, request });
    return waiting.promise;
  }

  start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(workerSource(), { smol: true });
    worker.addEventListener("message", ({ data }: MessageEvent<NamespaceAnswer>) => this.#settle(data));
    worker.addEventListener("error", ({ message }) => this.#lost(worker, message));
    worker.addEventListener("close", () => this.#lost(worker, "it stopped"));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  close(): void {
    this.#closed = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#lost(worker, "it was closed");
    worker.terminate();
  }

  #settle(answer: NamespaceAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if ("result" in answer) waiting.resolve(answer.result);
    else if ("failure" in answer) waiting.reject(new SyscallError(answer.failure));
    else waiting.reject(new EngineError("internal", answer.error));
  }

  #lost(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of lost) waiting.reject(new EngineError("unavailable", `the namespace thread ended: ${why}`));
  }
}

function pathOf(namespace: NamespaceRef): string {
  return typeof namespace === "number" ? `/proc/${namespace}/ns/net` : namespace;
}

/**
 * Where the thread's program is. In a single executable the entry points lie under /$bunfs/root by their path below
 * the build's root: `bun build --compile --root src src/main.ts src/linux/namespaces-worker.ts`.
 */
function workerSource(): string {
  const embedded = import.meta.path.startsWith("/$bunfs/");
  return embedded ? "/$bunfs/root/linux/namespaces-worker.js" : new URL("./namespaces-worker.ts", import.meta.url).href;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
