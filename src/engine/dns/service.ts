/** The daemon's side of the DNS server at 127.0.0.11: tells the thread that answers whom to serve, and what it must know. */
import { EngineError } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import { closeFd } from "#linux/descriptor.ts";
import { checked, O_CLOEXEC, O_NONBLOCK, syscall } from "#linux/libc.ts";
import type { DnsReport, DnsRequest, NamedSandbox, Opening, ServerSockets, Upstream } from "./protocol.ts";

/** How long clients wait for the thread that follows one that failed. */
const RESTART_MS = 500;
/** Threads that may fail one after the other before those who wait for their servers are told. */
const MOST_FAILURES = 5;

/** Only what the thread was told is served; state that must survive the daemon is not kept here. */
export class DnsService {
  readonly #log: Logger;
  readonly #hostServers: () => readonly Upstream[];
  readonly #open = new Map<string, Opening>();
  readonly #sockets = new Map<string, ServerSockets>();
  readonly #known = new Map<string, NamedSandbox>();
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();
  #thread: DnsThread | undefined;
  /** Threads that failed since a server was opened. */
  #failures = 0;
  #closed = false;

  /** `hostServers` answers whom the host asks. */
  constructor(log: Logger, hostServers: () => readonly Upstream[]) {
    this.#log = log;
    this.#hostServers = hostServers;
  }

  /** Whether anyone is served. */
  get running(): boolean {
    return this.#thread !== undefined;
  }

  /** Ends when the server listens in that namespace; at once where it did before. It answers once `put` told the names. */
  open(id: string, opening: Opening): Promise<void> {
    const before = this.#waiting.get(id);
    if (before !== undefined) return before.promise;
    if (this.#open.has(id)) return Promise.resolve();
    if (this.#closed) return Promise.reject(new EngineError("unavailable", "the DNS server has ended"));
    const waiting = Promise.withResolvers<void>();
    this.#waiting.set(id, waiting);
    this.#open.set(id, opening);
    if (this.#thread === undefined) this.#start();
    else this.#thread.send({ do: "open", id, ...opening });
    return waiting.promise;
  }

  /** What a process that outlives the daemon may inherit, to be the next one's `holder`. */
  sockets(id: string): ServerSockets | undefined {
    return this.#sockets.get(id);
  }

  /** Counts for every query that is sent after the return. */
  put(sandbox: NamedSandbox): void {
    this.#known.set(sandbox.id, sandbox);
    this.#thread?.send({ do: "put", sandbox });
  }

  /** Forgets the sandbox's names and ends its server. Idempotent. */
  remove(id: string): void {
    const known = this.#known.delete(id);
    const open = this.#open.delete(id);
    this.#sockets.delete(id);
    if (known || open) this.#thread?.send({ do: "remove", id });
    this.#settle(id, "the container has ended");
  }

  /** The host's servers have changed. */
  reload(): void {
    this.#thread?.send({ do: "host", servers: this.#hostServers() });
  }

  /** Ends the thread; clients wait for the next daemon. */
  async close(): Promise<void> {
    this.#closed = true;
    const thread = this.#thread;
    this.#thread = undefined;
    for (const id of this.#waiting.keys()) this.#settle(id, "the DNS server has ended");
    await thread?.stop();
  }

  #start(): void {
    const thread: DnsThread = new DnsThread(
      (report) => this.#hear(report),
      (why) => this.#lost(thread, why),
    );
    this.#thread = thread;
    thread.send({ do: "host", servers: this.#hostServers() });
    // All names first: what waits in the sockets is answered at once.
    for (const sandbox of this.#known.values()) thread.send({ do: "put", sandbox });
    for (const [id, opening] of this.#open) thread.send({ do: "open", id, ...opening });
  }

  /** A new thread takes over what the old one served. */
  #lost(thread: DnsThread, why: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    this.#sockets.clear();
    this.#log.error({ why }, "the DNS thread ended; another one goes on");
    this.#failures++;
    if (this.#failures >= MOST_FAILURES) for (const id of this.#waiting.keys()) this.#settle(id, why);
    // What ended it may end the next one too.
    setTimeout(() => {
      if (this.#thread === undefined && this.#open.size > 0 && !this.#closed) this.#start();
    }, RESTART_MS).unref();
  }

  #hear(report: DnsReport): void {
    if ("stopped" in report) return;
    if ("failed" in report) return this.#settle(report.failed, report.error);
    this.#failures = 0;
    if (this.#open.has(report.opened)) this.#sockets.set(report.opened, report.sockets);
    this.#settle(report.opened, undefined);
  }

  #settle(id: string, error: string | undefined): void {
    const waiting = this.#waiting.get(id);
    if (error !== undefined) this.#open.delete(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve();
    else waiting.reject(new EngineError("internal", `cannot start the DNS server: ${error}`));
  }
}

/** How long a thread may take to close its sockets. */
const STOP_MS = 2000;

/** One thread, from its start to its end. */
class DnsThread {
  readonly #worker: Worker;
  /** Wakes the thread, which else would not look at its messages. */
  readonly #wake = checked("cannot make an eventfd", "", "eventfd2", 0, O_CLOEXEC | O_NONBLOCK);
  #live = true;
  readonly #ended = Promise.withResolvers<void>();

  constructor(onReport: (report: DnsReport) => void, onLost: (why: string) => void) {
    const lost = (why: string) => {
      this.#end();
      onLost(why);
    };
    this.#worker = new Worker(workerSource(), { smol: true });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<DnsReport>) => {
      if ("stopped" in data) this.#end();
      onReport(data);
    });
    this.#worker.addEventListener("error", ({ message }) => lost(message));
    this.#worker.addEventListener("close", () => lost("it stopped"));
    this.#worker.unref();
    this.#worker.postMessage({ wake: this.#wake });
  }

  send(request: DnsRequest): void {
    if (!this.#live) return;
    this.#worker.postMessage(request);
    syscall("write", this.#wake, new Uint8Array(new BigUint64Array([1n]).buffer), 8);
  }

  async stop(): Promise<void> {
    this.#worker.ref();
    this.send({ do: "stop" });
    // Closed all the same: a thread that hangs must not keep the daemon.
    await Promise.race([this.#ended.promise, Bun.sleep(STOP_MS)]);
    this.#worker.terminate();
  }

  #end(): void {
    if (!this.#live) return;
    this.#live = false;
    closeFd(this.#wake);
    this.#ended.resolve();
  }
}

/** In a single executable the entry points lie under /$bunfs/root by their path below src (scripts/build.ts). */
function workerSource(): string {
  const embedded = import.meta.path.startsWith("/$bunfs/");
  return embedded ? "/$bunfs/root/engine/dns/dns-worker.js" : new URL("./dns-worker.ts", import.meta.url).href;
}
