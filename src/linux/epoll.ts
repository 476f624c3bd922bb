/** Waits for many descriptors at once in a thread of its own, without the program's event loop (epoll(7)). */
import { closeFd } from "./descriptor.ts";
import { checked, O_CLOEXEC, syscall } from "./libc.ts";

export const READABLE = 0x1;
export const WRITABLE = 0x4;
const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;
const ADD = 1;
const REMOVE = 2;
const MODIFY = 3;
const BATCH = 64;
/** struct epoll_event is packed on x86_64 only. */
const [EVENT_SIZE, DATA_AT] = process.arch === "x64" ? ([12, 4] as const) : ([16, 8] as const);

/**
 * Hears READABLE, WRITABLE or both; errors and hang-ups count as both, so that reading or writing tells them. A promise
 * is waited for before anybody else hears anything.
 */
type ReadyListener = (ready: number) => Promise<void> | void;

/** Level-triggered. A descriptor must be removed before it is closed. */
export class Epoll implements Disposable {
  readonly #fd = checked("cannot wait for sockets", "", "epoll_create1", O_CLOEXEC);
  readonly #listeners = new Map<number, ReadyListener>();
  readonly #events = new Uint8Array(BATCH * EVENT_SIZE);
  readonly #view = new DataView(this.#events.buffer);
  readonly #change = new Uint8Array(EVENT_SIZE);

  add(fd: number, events: number, listener: ReadyListener): void {
    this.#control(ADD, fd, events);
    this.#listeners.set(fd, listener);
  }

  /** Waits for other events on a descriptor that was added. */
  change(fd: number, events: number): void {
    this.#control(MODIFY, fd, events);
  }

  remove(fd: number): void {
    if (this.#listeners.delete(fd)) this.#control(REMOVE, fd, 0);
  }

  /** Blocks the calling thread for at most `timeout` ms, -1 for ever, and calls the listeners of what is ready. */
  async wait(timeout: number): Promise<void> {
    const count = syscall("epoll_pwait", this.#fd, this.#events, BATCH, timeout, null, 8);
    for (let i = 0; i < count; i++) {
      const at = i * EVENT_SIZE;
      const events = this.#view.getUint32(at, true);
      const ready = (events & (EPOLLERR | EPOLLHUP)) === 0 ? events : READABLE | WRITABLE;
      // One that an earlier listener of this round removed is not called any more.
      const pending = this.#listeners.get(this.#view.getInt32(at + DATA_AT, true))?.(ready);
      if (pending !== undefined) await pending;
    }
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }

  #control(operation: number, fd: number, events: number): void {
    const view = new DataView(this.#change.buffer);
    view.setUint32(0, events, true);
    view.setInt32(DATA_AT, fd, true);
    checked("cannot wait for a socket", `fd ${fd}`, "epoll_ctl", this.#fd, operation, fd, this.#change);
  }
}
