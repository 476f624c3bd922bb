/** Serves one container: its UDP socket, its TCP socket and the connections to that. */
import type { Datagrams } from "#linux/datagrams.ts";
import { closeFd } from "#linux/descriptor.ts";
import { type Epoll, READABLE } from "#linux/epoll.ts";
import { acceptFrom, sendDatagram } from "#linux/inet-socket.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import type { Answering } from "./answering.ts";
import type { Expiring } from "./expiring.ts";
import { MessageStream } from "./message-stream.ts";
import type { NamedSandbox, ServerSockets } from "./protocol.ts";

export interface ServerParts {
  readonly epoll: Epoll;
  readonly answering: Answering;
  /** Shared: nothing is kept in it between two calls. */
  readonly datagrams: Datagrams;
  /** For an answer on TCP; likewise. */
  readonly room: Uint8Array;
  /** Of all containers: what ends idle connections. */
  readonly idle: Expiring<() => void>;
  /** Undefined where the names are those that the daemon has; else what to wait for. */
  readonly upToDate: () => Promise<void> | undefined;
}

const MOST_CONNECTIONS = 32;

export class SandboxServer implements Disposable {
  readonly #parts: ServerParts;
  readonly #sockets: ServerSockets;
  /** What ends each connection, the one used longest ago first. */
  readonly #connections = new Set<() => void>();
  #sandbox: NamedSandbox | undefined;
  #number = 0;

  /** Takes over the sockets. Answers once it has been told the sandbox. */
  constructor(parts: ServerParts, sockets: ServerSockets) {
    this.#parts = parts;
    this.#sockets = sockets;
    parts.epoll.add(sockets.udp, READABLE, () => this.#datagrams());
    parts.epoll.add(sockets.tcp, READABLE, () => this.#accept());
  }

  set sandbox(sandbox: NamedSandbox) {
    this.#sandbox = sandbox;
  }

  [Symbol.dispose](): void {
    // What waits to be answered must not go to whoever gets the descriptors next.
    this.#sandbox = undefined;
    for (const end of this.#connections) end();
    const { udp, tcp } = this.#sockets;
    for (const fd of [udp, tcp]) {
      this.#parts.epoll.remove(fd);
      closeFd(fd);
    }
  }

  #datagrams(): Promise<void> | void {
    const count = this.#parts.datagrams.receive(this.#sockets.udp);
    // A client that asks for what has just been started must find it.
    const pending = this.#parts.upToDate();
    return pending === undefined ? this.#answer(count) : pending.then(() => this.#answer(count));
  }

  #answer(count: number): void {
    const { answering, datagrams } = this.#parts;
    const sandbox = this.#sandbox;
    const { udp } = this.#sockets;
    if (sandbox === undefined) return;
    for (let i = 0; i < count; i++) {
      const length = answering.answer(sandbox, datagrams.message(i), datagrams.room, () => {
        const sender = datagrams.sender(i).slice();
        return { transport: "udp", key: sender.join(), reply: (answer) => sendDatagram(udp, answer, sender) };
      });
      if (length > 0) datagrams.answer(i, length);
    }
    datagrams.send(udp);
  }

  #accept(): void {
    const { epoll, idle, upToDate } = this.#parts;
    let fd: number | undefined;
    try {
      fd = acceptFrom(this.#sockets.tcp);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      return this.#pause();
    }
    if (fd === undefined) return;
    const [oldest] = this.#connections;
    if (this.#connections.size >= MOST_CONNECTIONS) oldest?.();
    const key = `tcp ${this.#number++}`;
    const end = () => {
      this.#connections.delete(end);
      idle.delete(end);
      stream.close();
    };
    const use = () => {
      this.#connections.delete(end);
      this.#connections.add(end);
      idle.touch(end);
    };
    const stream: MessageStream = new MessageStream(epoll, fd, {
      onMessage: (message) => {
        use();
        const pending = upToDate();
        const answer = () => this.#answerOn(stream, key, message);
        return pending === undefined ? answer() : pending.then(answer);
      },
      onClose: end,
    });
    use();
  }

  /** There are no descriptors left: who waits to be accepted waits until connections end. */
  #pause(): void {
    const { epoll, idle } = this.#parts;
    const { tcp } = this.#sockets;
    const resume = () => {
      this.#connections.delete(resume);
      idle.delete(resume);
      epoll.change(tcp, READABLE);
    };
    epoll.change(tcp, 0);
    this.#connections.add(resume);
    idle.touch(resume);
  }

  #answerOn(stream: MessageStream, key: string, message: Uint8Array): void {
    if (this.#sandbox === undefined) return;
    const out = this.#parts.room;
    const client = () => ({ transport: "tcp" as const, key, reply: (answer: Uint8Array) => stream.send(answer) });
    const length = this.#parts.answering.answer(this.#sandbox, message, out, client);
    if (length > 0) stream.send(out.subarray(0, length));
  }
}
