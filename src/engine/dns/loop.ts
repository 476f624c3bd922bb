/** Waits for queries, answers and the daemon's messages at once, and gives each to who deals with it. */
import { Datagrams } from "#linux/datagrams.ts";
import { closeFd } from "#linux/descriptor.ts";
import { Epoll, READABLE } from "#linux/epoll.ts";
import { syscall } from "#linux/libc.ts";
import { inNamespace } from "#linux/network-namespace.ts";
import { Answering, TCP_LIMIT } from "./answering.ts";
import { Expiring } from "./expiring.ts";
import { Forwarder } from "./forwarder.ts";
import { UDP_LIMIT } from "./message.ts";
import { NameTables } from "./names.ts";
import type { DnsReport, DnsRequest, Opening, ServerSockets } from "./protocol.ts";
import { openServer } from "./redirect.ts";
import { SandboxServer, type ServerParts } from "./sandbox-server.ts";

/** Datagrams that one call takes. */
const BATCH = 32;
/** After so many messages garbage goes: left to itself, a thread's heap grows by several MB first. */
const ROUND = 64n;
/** How long a connection may be silent: as Docker. */
const IDLE_MS = 8000;

/** For a thread of its own. Messages and their announcements: `DnsThread` in service.ts. */
export class DnsLoop {
  readonly #report: (message: DnsReport) => void;
  readonly #epoll = new Epoll();
  readonly #tables = new NameTables();
  readonly #forwarder = new Forwarder(this.#epoll);
  readonly #idle = new Expiring<() => void>(IDLE_MS);
  readonly #parts: ServerParts = {
    epoll: this.#epoll,
    answering: new Answering(this.#tables, this.#forwarder),
    datagrams: new Datagrams(BATCH, UDP_LIMIT, UDP_LIMIT),
    room: new Uint8Array(TCP_LIMIT),
    idle: this.#idle,
    upToDate: () => this.#upToDate(),
  };
  readonly #servers = new Map<string, SandboxServer>();
  readonly #counter = new BigUint64Array(1);
  #wake = -1;
  #announced = 0n;
  #delivered = 0n;
  #caughtUp = Promise.withResolvers<void>();
  #stopped = false;
  #failure: Error | undefined;

  constructor(report: (message: DnsReport) => void) {
    this.#report = report;
  }

  /** Serves until it is told to stop. `wake` is an eventfd that counts the messages. */
  async run(wake: number): Promise<void> {
    this.#wake = wake;
    this.#epoll.add(wake, READABLE, () => this.#upToDate());
    try {
      while (!this.#stopped) {
        const remaining = Math.min(this.#forwarder.remaining, this.#idle.remaining);
        await this.#epoll.wait(remaining === Number.POSITIVE_INFINITY ? -1 : Math.ceil(remaining));
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#forwarder.remaining === 0) this.#forwarder.expire();
        for (const end of this.#idle.expired()) end();
      }
    } finally {
      // Whatever went wrong: the thread that comes next wants the ports.
      this.#forwarder[Symbol.dispose]();
      for (const server of this.#servers.values()) server[Symbol.dispose]();
      this.#epoll[Symbol.dispose]();
    }
    this.#report({ stopped: true });
  }

  /** A message has come. */
  deliver(request: DnsRequest): void {
    // The next thread gets all of it again.
    if (this.#failure !== undefined) return;
    try {
      this.#perform(request);
    } catch (error) {
      // Ends `run`, which waits for this message or will be woken for it.
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#caughtUp.resolve();
      return;
    }
    this.#delivered++;
    if (this.#delivered >= this.#announced) this.#caughtUp.resolve();
    if (this.#delivered % ROUND === 0n) Bun.gc(true);
  }

  /** The daemon counts up the descriptor for each message, which itself arrives only where this thread lets it. */
  #upToDate(): Promise<void> | undefined {
    const counter = new Uint8Array(this.#counter.buffer);
    if (syscall("read", this.#wake, counter, counter.length) > 0) this.#announced += this.#counter[0] ?? 0n;
    if (this.#delivered >= this.#announced || this.#failure !== undefined) return undefined;
    this.#caughtUp = Promise.withResolvers();
    return this.#caughtUp.promise;
  }

  #perform(request: DnsRequest): void {
    switch (request.do) {
      case "open":
        this.#open(request.id, request);
        break;
      case "put": {
        const { sandbox } = request;
        this.#tables.put(sandbox);
        const server = this.#servers.get(sandbox.id);
        if (server !== undefined) server.sandbox = sandbox;
        break;
      }
      case "remove":
        this.#tables.remove(request.id);
        this.#forwarder.forget(request.id);
        this.#servers.get(request.id)?.[Symbol.dispose]();
        this.#servers.delete(request.id);
        break;
      case "host":
        this.#forwarder.servers = request.servers;
        break;
      case "stop":
        this.#stopped = true;
    }
  }

  #serve(sockets: ServerSockets): SandboxServer {
    try {
      return new SandboxServer(this.#parts, sockets);
    } catch (error) {
      for (const fd of [sockets.udp, sockets.tcp]) closeFd(fd);
      throw error;
    }
  }

  #open(id: string, { namespace, holder }: Opening): void {
    try {
      const sockets = inNamespace(namespace, () => openServer(holder));
      const server = this.#serve(sockets);
      this.#servers.set(id, server);
      const sandbox = this.#tables.sandbox(id);
      if (sandbox !== undefined) server.sandbox = sandbox;
      this.#report({ opened: id, sockets });
    } catch (error) {
      this.#report({ failed: id, error: error instanceof Error ? error.message : String(error) });
    }
  }
}
