/** Receives and answers many datagrams in one call each (recvmmsg(2), sendmmsg(2)). */
import { ptr } from "bun:ffi";
import { syscall } from "./libc.ts";

/** struct mmsghdr of 64-bit machines: a msghdr of 56 bytes, the length of the message, padding. */
const HEADER_BYTES = 64;
const LENGTH_AT = 56;
/** struct iovec. */
const VECTOR_BYTES = 16;
/** struct sockaddr_in; IPv6 is not served. */
const ADDRESS_BYTES = 16;
const MSG_NOSIGNAL = 0x4000;

/** Room for `count` datagrams of at most `size` bytes and one answer to each. The next `receive` overwrites them. */
export class Datagrams {
  readonly #count: number;
  readonly #size: number;
  readonly #addresses: Uint8Array;
  readonly #incoming: Mailbox;
  readonly #outgoing: Mailbox;
  #answered = 0;

  constructor(count: number, size: number, answerSize: number) {
    this.#count = count;
    this.#size = size;
    this.#addresses = fixedBytes(count * ADDRESS_BYTES);
    this.#incoming = new Mailbox(count, size);
    this.#outgoing = new Mailbox(count, answerSize);
    for (let i = 0; i < count; i++) this.#incoming.name(i, this.#addresses, i);
  }

  /** How many came; 0 where none waits. Does not block. */
  receive(fd: number): number {
    this.#answered = 0;
    for (let i = 0; i < this.#count; i++) this.#incoming.setLength(i, this.#size);
    return Math.max(0, syscall("recvmmsg", fd, this.#incoming.headers, this.#count, 0, null));
  }

  /** What was received: a view. */
  message(i: number): Uint8Array {
    return this.#incoming.buffer(i).subarray(0, this.#incoming.received(i));
  }

  /** Where it came from: a view of a raw socket address. */
  sender(i: number): Uint8Array {
    return this.#addresses.subarray(i * ADDRESS_BYTES, (i + 1) * ADDRESS_BYTES);
  }

  /** Room for the next answer. It counts once `answer` is called. */
  get room(): Uint8Array {
    return this.#outgoing.buffer(this.#answered);
  }

  /** The first `length` bytes of `room` go to the sender of message `i` with the next `send`. */
  answer(i: number, length: number): void {
    this.#outgoing.setLength(this.#answered, length);
    this.#outgoing.name(this.#answered++, this.#addresses, i);
  }

  /** Sends all answers. What the kernel has no room for is lost, as any datagram may be. */
  send(fd: number): void {
    for (let sent = 0; sent < this.#answered;) {
      const headers = this.#outgoing.headers.subarray(sent * HEADER_BYTES);
      const result = syscall("sendmmsg", fd, headers, this.#answered - sent, MSG_NOSIGNAL);
      // One that cannot be sent is passed over.
      sent += Math.max(1, result);
    }
    this.#answered = 0;
  }
}

/** Headers that point to one buffer each. */
class Mailbox {
  readonly headers: Uint8Array;
  readonly #view: DataView;
  readonly #vectors: Uint8Array;
  readonly #vectorView: DataView;
  readonly #buffers: Uint8Array[];

  constructor(count: number, size: number) {
    this.headers = fixedBytes(count * HEADER_BYTES);
    this.#view = new DataView(this.headers.buffer);
    this.#vectors = fixedBytes(count * VECTOR_BYTES);
    this.#vectorView = new DataView(this.#vectors.buffer);
    const room = fixedBytes(count * size);
    this.#buffers = Array.from({ length: count }, (_, i) => room.subarray(i * size, (i + 1) * size));
    for (let i = 0; i < count; i++) {
      this.#vectorView.setBigUint64(i * VECTOR_BYTES, addressOf(room, i * size), true);
      this.#view.setBigUint64(i * HEADER_BYTES + 16, addressOf(this.#vectors, i * VECTOR_BYTES), true);
      this.#view.setBigUint64(i * HEADER_BYTES + 24, 1n, true);
    }
  }

  /** The header's address is the `at`-th of `addresses`. */
  name(i: number, addresses: Uint8Array, at: number): void {
    this.#view.setBigUint64(i * HEADER_BYTES, addressOf(addresses, at * ADDRESS_BYTES), true);
    this.#view.setUint32(i * HEADER_BYTES + 8, ADDRESS_BYTES, true);
  }

  setLength(i: number, length: number): void {
    this.#vectorView.setBigUint64(i * VECTOR_BYTES + 8, BigInt(length), true);
    this.#view.setUint32(i * HEADER_BYTES + 8, ADDRESS_BYTES, true);
  }

  received(i: number): number {
    return this.#view.getUint32(i * HEADER_BYTES + LENGTH_AT, true);
  }

  buffer(i: number): Uint8Array {
    return this.#buffers[i] ?? new Uint8Array(0);
  }
}

/** A small array moves when its buffer is first asked for, and `subarray` does that: this one has a buffer already. */
function fixedBytes(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

function addressOf(bytes: Uint8Array, offset: number): bigint {
  return BigInt(ptr(bytes) + offset);
}
