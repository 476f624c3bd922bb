/** Where a verb's text goes: plain descriptors, since Node's process streams cost 4 ms of start-up. */
import { fstatSync, writeSync } from "node:fs";

/** Linux's major number of /dev/null, /dev/zero and their like, the character devices that are no terminal. */
const memoryDevices = 1;

/** One output descriptor. Never closes it. */
export class Output {
  readonly fd: number;
  #terminal: boolean | undefined;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Writes everything before it returns. Throws the system's error (EPIPE when nobody reads). */
  write(data: string | Uint8Array): void {
    let rest = typeof data === "string" ? Buffer.from(data) : data;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.fd, rest));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
        // Somebody else made this descriptor non-blocking; wait for its reader.
        Bun.sleepSync(1);
      }
    }
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  get isTerminal(): boolean {
    return (this.#terminal ??= isTerminal(this.fd));
  }
}

/** Whether a descriptor is a terminal. */
export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isCharacterDevice() && ((stat.rdev >> 8) & 0xfff) !== memoryDevices;
  } catch {
    return false;
  }
}
