/**
 * Tells of changes to files, each of them: Bun's `fs.watch` swallows an event that follows an equal one within a
 * millisecond, and whoever read the file in between then waits for ever.
 */
import { closeFd } from "./descriptor.ts";
import { checked, cString, O_CLOEXEC, O_NONBLOCK, syscall } from "./libc.ts";

const IN_MODIFY = 0x2;
/** Also that the file lost a name: another one has taken it. */
const IN_ATTRIB = 0x4;
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE_SELF = 0x400;
const IN_MOVE_SELF = 0x800;
const IN_IGNORED = 0x8000;
const CHANGES = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF;
/** struct inotify_event without its name: wd, mask, cookie, len. */
const HEADER = 16;

/** Hears the entry's name when the change is inside the watched folder; "" when it is the file itself, or anything. */
export type ChangeListener = (name: string) => void;

/** One inotify instance (a user may have 128) for any number of watches. */
export class Inotify implements Disposable {
  readonly #fd: number;
  readonly #listeners = new Map<number, Set<ChangeListener>>();
  readonly #reader: ReturnType<typeof openReader>;

  constructor() {
    this.#fd = checked("cannot watch files", "", "inotify_init1", O_CLOEXEC | O_NONBLOCK);
    this.#reader = openReader(this.#fd);
    void this.#read();
  }

  /** Begins at once: no change after the return is missed. Throws SyscallError ("not-found", …). */
  watch(path: string, listener: ChangeListener): Disposable {
    const watch = checked(`cannot watch ${path}`, path, "inotify_add_watch", this.#fd, cString(path), CHANGES);
    const listeners = this.#listeners.get(watch) ?? new Set();
    this.#listeners.set(watch, listeners);
    listeners.add(listener);
    return {
      [Symbol.dispose]: () => {
        if (!listeners.delete(listener) || listeners.size > 0 || this.#listeners.get(watch) !== listeners) return;
        this.#listeners.delete(watch);
        syscall("inotify_rm_watch", this.#fd, watch);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    void this.#reader.cancel().finally(() => closeFd(this.#fd));
  }

  async #read(): Promise<void> {
    for (let next = await this.#reader.read(); !next.done; next = await this.#reader.read()) this.#dispatch(next.value);
  }

  #dispatch(events: Uint8Array): void {
    const view = Buffer.from(events.buffer, events.byteOffset, events.byteLength);
    for (let at = 0; at + HEADER <= view.length;) {
      const watch = view.readInt32LE(at);
      const mask = view.readUInt32LE(at + 4);
      const end = at + HEADER + view.readUInt32LE(at + 12);
      const name = view.toString("utf8", at + HEADER, end).replace(/\0+$/, "");
      at = end;
      // The kernel's queue overflowed: anything may have changed.
      const concerned = watch === -1 ? [...this.#listeners.values()] : [this.#listeners.get(watch) ?? []];
      for (const listeners of concerned) for (const listener of listeners) listener(name);
      if ((mask & IN_IGNORED) !== 0) this.#listeners.delete(watch);
    }
  }
}

/** On the event loop, since the descriptor does not block. Cancelling does not close it. */
function openReader(fd: number) {
  return Bun.file(fd).stream().getReader();
}
