/** The helper's side of a lent answer: an archive goes to the client in chunks, large files without being copied. */
import type { TreeCalls } from "./helper-calls.ts";
import { syscall } from "./libc.ts";
import { EAGAIN, EINVAL } from "./syscall-error.ts";

/** Where a helper finds the client's socket. Bun makes what it gives as standard streams blocking, for the daemon too. */
export const socketFd = 3;

const capacity = 256 * 1024;
/** A chunk's size in so many digits, and a line end. */
const sizeLine = 10;
const lineBreak = "\r\n";
/** For what ends a chunk and begins the next. */
const spare = 64;
const POLLOUT = 4;
/** The most that one call may be asked for; the kernel stops below 2 GiB. */
const mostAtOnce = 1024 * 1024 * 1024;

export class SocketSink {
  readonly #calls: TreeCalls;
  readonly #fd: number;
  readonly #chunked: boolean;
  readonly #buffer = Buffer.alloc(capacity + spare);
  /** What the buffer holds; the chunk that is being filled begins at `#chunk`. */
  #end = 0;
  #chunk = 0;

  /** Writes to the non-blocking socket `fd`. The last chunk is for its owner to write, when all is well. */
  constructor(calls: TreeCalls, fd: number, chunked: boolean) {
    this.#calls = calls;
    this.#fd = fd;
    this.#chunked = chunked;
    this.#begin();
  }

  /** Takes bytes that are the caller's again afterwards. */
  put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const room = capacity - this.#end;
      if (room <= 0) {
        this.flush();
        continue;
      }
      const piece = bytes.subarray(at, at + room);
      this.#buffer.set(piece, this.#end);
      this.#end += piece.length;
      at += piece.length;
    }
  }

  /** Sends exactly `size` bytes of an open file from its start: what it is short of become zeros. `path` is for messages. */
  putFile(file: number, size: number, path: string): void {
    this.#finish();
    if (this.#chunked) this.#end += this.#buffer.write(`${size.toString(16)}${lineBreak}`, this.#end);
    this.#drain();
    let left = size;
    while (left > 0) {
      const sent = syscall("sendfile", this.#fd, file, null, Math.min(left, mostAtOnce));
      if (sent === -EAGAIN) this.#awaitRoom();
      else if (sent === -EINVAL) break;
      else if (sent < 0) throw this.#calls.fail("sendfile", path, sent);
      else if (sent === 0) break;
      else left -= sent;
    }
    // Of some file systems files cannot be sent (proc); of others nothing is left.
    left -= this.#copy(file, left, path);
    this.#buffer.fill(0);
    while (left > 0) {
      this.#end = Math.min(left, capacity);
      left -= this.#end;
      this.#drain();
    }
    if (this.#chunked) this.#end = this.#buffer.write(lineBreak);
    this.#begin();
  }

  /** Sends what it holds. */
  flush(): void {
    this.#finish();
    this.#drain();
    this.#begin();
  }

  /** Up to `most` bytes of what follows in the file. */
  #copy(file: number, most: number, path: string): number {
    let copied = 0;
    while (copied < most) {
      const size = this.#calls.read(file, this.#buffer.subarray(0, Math.min(capacity, most - copied)));
      if (size < 0) throw this.#calls.fail("read", path, size);
      if (size === 0) break;
      this.#end = size;
      this.#drain();
      copied += size;
    }
    return copied;
  }

  #begin(): void {
    this.#chunk = this.#end;
    if (this.#chunked) this.#end += sizeLine;
  }

  /** Completes the chunk that is being filled; an empty one would end the body. */
  #finish(): void {
    if (!this.#chunked) return;
    const size = this.#end - this.#chunk - sizeLine;
    if (size === 0) {
      this.#end = this.#chunk;
      return;
    }
    this.#buffer.write(`${size.toString(16).padStart(sizeLine - lineBreak.length, "0")}${lineBreak}`, this.#chunk);
    this.#end += this.#buffer.write(lineBreak, this.#end);
  }

  #drain(): void {
    for (let at = 0; at < this.#end;) {
      const wrote = syscall("write", this.#fd, this.#buffer.subarray(at, this.#end), this.#end - at);
      if (wrote === -EAGAIN) this.#awaitRoom();
      else if (wrote < 0) throw this.#calls.fail("write", "socket", wrote);
      else at += wrote;
    }
    this.#end = 0;
  }

  #awaitRoom(): void {
    syscall("ppoll", Int32Array.of(this.#fd, POLLOUT), 1, null, null);
  }
}
