/** Tells the service manager how the daemon is (sd_notify(3)). */
import { closeFd } from "./descriptor.ts";
import { syscall } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const CLOCK_MONOTONIC = 1;
/** sizeof(sun_path). */
const SUN_PATH = 108;

export class ServiceManager {
  readonly #socket: string | undefined;

  /** Takes NOTIFY_SOCKET out of `env`: a monitor that inherited it would speak for the daemon. */
  constructor(env: Record<string, string | undefined>) {
    this.#socket = env["NOTIFY_SOCKET"] || undefined;
    delete env["NOTIFY_SOCKET"];
  }

  ready(): void {
    this.#send(["READY=1"]);
  }

  reloading(): void {
    const time = new BigUint64Array(2);
    syscall("clock_gettime", CLOCK_MONOTONIC, time);
    const [seconds = 0n, nanoseconds = 0n] = time;
    this.#send(["RELOADING=1", `MONOTONIC_USEC=${seconds * 1_000_000n + nanoseconds / 1000n}`]);
  }

  stopping(): void {
    this.#send(["STOPPING=1"]);
  }

  /** A manager that does not listen is no reason to fail. */
  #send(lines: readonly string[]): void {
    if (this.#socket === undefined) return;
    const path = new TextEncoder().encode(this.#socket.replace(/^@/, "\0"));
    if (path.length >= SUN_PATH) return;
    const address = new Uint8Array(2 + path.length);
    new DataView(address.buffer).setUint16(0, AF_UNIX, true);
    address.set(path, 2);
    const fd = syscall("socket", AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    const message = new TextEncoder().encode(lines.join("\n"));
    syscall("sendto", fd, message, message.length, 0, address, address.length);
    closeFd(fd);
  }
}
