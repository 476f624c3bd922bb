/** Asks other servers what is not known here, and gives their answers to who asked. */
import { closeFd, descriptorLimit } from "#linux/descriptor.ts";
import { type Epoll, READABLE } from "#linux/epoll.ts";
import { connectTo, receiveBytes, sendBytes, type Transport } from "#linux/inet-socket.ts";
import { inNamespace } from "#linux/network-namespace.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import { Expiring } from "./expiring.ts";
import { answers, codeOf, forwarded, type Query, REFUSED, SERVFAIL, setId } from "./message.ts";
import { MessageStream } from "./message-stream.ts";
import type { NamedSandbox, Upstream } from "./protocol.ts";

interface Asker {
  readonly transport: Transport;
  /** Equal for a query that is only asked again. */
  readonly key: string;
  reply(answer: Uint8Array): void;
  /** Answers with a code and nothing else. */
  refuse(code: number): void;
}

/** How many servers are asked, and how many queries of a container are under way at a time: as Docker. */
const MOST_SERVERS = 3;
const MOST_IN_FLIGHT = 1024;
/** Of all containers together: each has a descriptor of the daemon's, which needs some for itself. */
const MOST_SOCKETS = 4096;
const SHARE_OF_DESCRIPTORS = 1 / 4;
/** How long one server may take. Then the next is asked; each twice on UDP, where a datagram can be lost. */
const PATIENCE_MS = 2000;
const ROUNDS: Record<Transport, number> = { udp: 2, tcp: 1 };
/** How long a query may wait until others of its container are done: as Docker. */
const QUEUE_MS = 4000;
const DNS_PORT = 53;

interface Pending {
  readonly sandbox: NamedSandbox;
  readonly query: Query;
  readonly asker: Asker;
  readonly servers: readonly Upstream[];
  attempt: number;
  /** Ends what is under way. */
  stop: () => void;
}

interface Client {
  readonly waiting: Set<Pending>;
  readonly inFlight: Set<Pending>;
}

/**
 * Every attempt has a socket of its own, connected, so that the kernel chooses a port by chance and takes answers only
 * from where the question went; with the random id and the question repeated that leaves little to guess.
 */
export class Forwarder implements Disposable {
  readonly #epoll: Epoll;
  readonly #clients = new Map<string, Client>();
  readonly #known = new Map<string, Pending>();
  readonly #attempts = new Expiring<Pending>(PATIENCE_MS);
  readonly #queued = new Expiring<Pending>(QUEUE_MS);
  readonly #buffer = new Uint8Array(64 * 1024);
  /** The host's servers. */
  servers: readonly Upstream[] = [];
  readonly #mostSockets: number;
  #sockets = 0;
  #admitting = false;

  constructor(epoll: Epoll, mostSockets = Math.min(MOST_SOCKETS, descriptorLimit() * SHARE_OF_DESCRIPTORS)) {
    this.#epoll = epoll;
    this.#mostSockets = mostSockets;
  }

  /** Milliseconds until `expire` has something to do. */
  get remaining(): number {
    return Math.min(this.#attempts.remaining, this.#queued.remaining);
  }

  forward(sandbox: NamedSandbox, query: Query, asker: Asker): void {
    const servers = (sandbox.servers ?? this.servers)
      .slice(0, MOST_SERVERS)
      .filter(({ host }) => sandbox.external || !host);
    if (servers.length === 0) return asker.refuse(SERVFAIL);
    const key = `${sandbox.id} ${asker.key}`;
    // Asked again while the first is under way: one answer serves both.
    if (this.#known.has(key)) return;
    const pending: Pending = { sandbox, query, asker, servers, attempt: 0, stop: idle };
    const client = this.#clients.get(sandbox.id) ?? { waiting: new Set(), inFlight: new Set() };
    this.#clients.set(sandbox.id, client);
    if (client.inFlight.size < MOST_IN_FLIGHT && this.#sockets < this.#mostSockets) {
      this.#known.set(key, pending);
      client.inFlight.add(pending);
      this.#ask(pending);
    } else if (client.waiting.size < MOST_IN_FLIGHT) {
      this.#known.set(key, pending);
      client.waiting.add(pending);
      this.#queued.touch(pending);
    } else {
      asker.refuse(REFUSED);
    }
  }

  /** Goes on with what has waited long enough. */
  expire(): void {
    for (const pending of this.#attempts.expired()) this.#next(pending);
    for (const pending of this.#queued.expired()) {
      // What ended before made room for it.
      if (this.#clients.get(pending.sandbox.id)?.waiting.has(pending) !== true) continue;
      this.#end(pending);
      pending.asker.refuse(REFUSED);
    }
  }

  /** Nobody waits for the sandbox's answers any more. */
  forget(id: string): void {
    const client = this.#clients.get(id);
    if (client === undefined) return;
    this.#clients.delete(id);
    for (const pending of [...client.waiting, ...client.inFlight]) this.#end(pending);
    this.#admit();
  }

  [Symbol.dispose](): void {
    // Nobody has a turn any more.
    this.#admitting = true;
    for (const id of this.#clients.keys()) this.forget(id);
  }

  #ask(pending: Pending): void {
    const { servers, asker } = pending;
    const rounds = ROUNDS[asker.transport];
    while (pending.attempt < rounds * servers.length) {
      const server = servers[pending.attempt % servers.length];
      try {
        if (server !== undefined) return this.#attempt(pending, server);
      } catch (error) {
        if (!(error instanceof SyscallError)) throw error;
      }
      pending.attempt++;
    }
    this.#end(pending);
    asker.refuse(SERVFAIL);
  }

  /** Throws SyscallError where the server cannot even be asked. */
  #attempt(pending: Pending, server: Upstream): void {
    const { sandbox, query, asker } = pending;
    const open = () => connectTo(asker.transport, server, DNS_PORT);
    const fd = server.host ? open() : inNamespace(sandbox.namespace, open);
    const id = randomId();
    const message = forwarded(query, id);
    this.#sockets++;
    if (asker.transport === "tcp") {
      const stream = new MessageStream(this.#epoll, fd, {
        onMessage: (answer) => this.#answered(pending, id, answer),
        onClose: () => this.#next(pending),
      });
      pending.stop = () => stream.close();
      this.#attempts.touch(pending);
      stream.send(message);
      return;
    }
    pending.stop = () => {
      this.#epoll.remove(fd);
      closeFd(fd);
    };
    this.#attempts.touch(pending);
    this.#epoll.add(fd, READABLE, () => this.#receive(pending, fd, id));
    try {
      sendBytes(fd, message);
    } catch (error) {
      this.#stop(pending);
      throw error;
    }
  }

  #receive(pending: Pending, fd: number, id: number): void {
    try {
      const count = receiveBytes(fd, this.#buffer);
      if (count !== undefined) this.#answered(pending, id, this.#buffer.slice(0, count));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      // Nobody listens there.
      this.#next(pending);
    }
  }

  #answered(pending: Pending, id: number, answer: Uint8Array): void {
    const { query, asker } = pending;
    if (!answers(answer, id, query)) return;
    const code = codeOf(answer);
    if (code === SERVFAIL || code === REFUSED) return this.#next(pending);
    this.#end(pending);
    setId(answer, query.id);
    asker.reply(answer);
  }

  #next(pending: Pending): void {
    this.#stop(pending);
    // Its container may have gone in the same round.
    if (this.#clients.get(pending.sandbox.id)?.inFlight.has(pending) !== true) return;
    pending.attempt++;
    this.#ask(pending);
  }

  #stop(pending: Pending): void {
    this.#attempts.delete(pending);
    if (pending.stop === idle) return;
    pending.stop();
    pending.stop = idle;
    this.#sockets--;
  }

  #end(pending: Pending): void {
    const { sandbox, asker } = pending;
    this.#stop(pending);
    this.#queued.delete(pending);
    this.#known.delete(`${sandbox.id} ${asker.key}`);
    const client = this.#clients.get(sandbox.id);
    if (client === undefined) return;
    client.waiting.delete(pending);
    client.inFlight.delete(pending);
    this.#admit();
  }

  /** Asks what has waited, of one container after the other, while there is room. */
  #admit(): void {
    // What fails at once ends in here: the loop below goes on with the next.
    if (this.#admitting) return;
    this.#admitting = true;
    try {
      while (this.#queued.remaining !== Number.POSITIVE_INFINITY && this.#sockets < this.#mostSockets) {
        if (!this.#admitNext()) return;
      }
    } finally {
      this.#admitting = false;
    }
  }

  #admitNext(): boolean {
    for (const [id, client] of this.#clients) {
      const [next] = client.waiting;
      if (next === undefined || client.inFlight.size >= MOST_IN_FLIGHT) continue;
      // It is the last to have its turn again.
      this.#clients.delete(id);
      this.#clients.set(id, client);
      client.waiting.delete(next);
      this.#queued.delete(next);
      client.inFlight.add(next);
      this.#ask(next);
      return true;
    }
    return false;
  }
}

function idle(): void {}

function randomId(): number {
  return crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
}
