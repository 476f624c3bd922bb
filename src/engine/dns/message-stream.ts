/** DNS messages on a TCP connection, each behind its length (RFC 1035, 4.2.2; RFC 7766). */
import { closeFd } from "#linux/descriptor.ts";
import { type Epoll, READABLE, WRITABLE } from "#linux/epoll.ts";
import { receiveBytes, sendBytes } from "#linux/inet-socket.ts";
import { SyscallError } from "#linux/syscall-error.ts";

interface StreamHandlers {
  /** The bytes are the listener's to keep. */
  onMessage(message: Uint8Array): Promise<void> | void;
  /** The other side is gone. Not called for `close`. */
  onClose(): void;
}

/** Who does not read what was asked for is not heard until that is sent, and cut off where answers go on coming. */
const MOST_UNSENT = 256 * 1024;
const PREFIX = 2;

/** Takes over a connected descriptor, or one that is about to be. */
export class MessageStream {
  readonly #epoll: Epoll;
  readonly #fd: number;
  readonly #handlers: StreamHandlers;
  #received = new Uint8Array(0);
  #unsent = new Uint8Array(0);
  #open = true;

  constructor(epoll: Epoll, fd: number, handlers: StreamHandlers) {
    this.#epoll = epoll;
    this.#fd = fd;
    this.#handlers = handlers;
    epoll.add(fd, READABLE, (ready) => this.#ready(ready));
  }

  send(message: Uint8Array): void {
    if (!this.#open) return;
    const framed = new Uint8Array(PREFIX + message.length);
    new DataView(framed.buffer).setUint16(0, message.length);
    framed.set(message, PREFIX);
    this.#unsent = joined(this.#unsent, framed);
    if (this.#unsent.length > MOST_UNSENT) this.#lost();
    else this.#flush();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#epoll.remove(this.#fd);
    closeFd(this.#fd);
  }

  async #ready(ready: number): Promise<void> {
    if ((ready & WRITABLE) !== 0) this.#flush();
    if ((ready & READABLE) === 0 || !this.#open) return;
    const buffer = new Uint8Array(4096);
    const count = this.#attempt(() => receiveBytes(this.#fd, buffer));
    if (count === undefined) return;
    if (count === 0) return this.#lost();
    this.#received = joined(this.#received, buffer.subarray(0, count));
    while (this.#open && this.#received.length >= PREFIX) {
      const end = PREFIX + new DataView(this.#received.buffer).getUint16(0);
      if (this.#received.length < end) return;
      const message = this.#received.slice(PREFIX, end);
      this.#received = this.#received.slice(end);
      await this.#handlers.onMessage(message);
    }
  }

  #flush(): void {
    while (this.#open && this.#unsent.length > 0) {
      const sent = this.#attempt(() => sendBytes(this.#fd, this.#unsent));
      if (sent === undefined) break;
      this.#unsent = this.#unsent.slice(sent);
    }
    if (this.#open) this.#epoll.change(this.#fd, this.#unsent.length > 0 ? WRITABLE : READABLE);
  }

  /** Undefined where it would block, and where the connection is gone. */
  #attempt(transfer: () => number | undefined): number | undefined {
    try {
      return transfer();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#lost();
      return undefined;
    }
  }

  #lost(): void {
    if (!this.#open) return;
    this.close();
    this.#handlers.onClose();
  }
}

function joined(a: Uint8Array<ArrayBuffer>, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
