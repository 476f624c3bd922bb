/** Tells a running conmon what to do, through the fifo that it reads. */
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { syscall } from "#linux/libc.ts";

const RESIZE = 1;
const REOPEN_LOG = 2;
/** ioctl: bytes that wait in a pipe. */
const FIONREAD = 0x541b;

/** `control` is conmon's fifo. Throws where no conmon reads it. */
export function tellSize(control: string, height: number, width: number): void {
  using fifo = openFifo(control);
  writeSync(fifo.fd, `${RESIZE} ${height} ${width}\n`);
}

/** Asks conmon to go on in a new log file. False where it has not yet read what it was told before; throws as above. */
export function tellReopenLog(control: string): boolean {
  using fifo = openFifo(control);
  const waiting = new Int32Array(1);
  if (syscall("ioctl", fifo.fd, FIONREAD, waiting) < 0 || waiting[0] !== 0) return false;
  writeSync(fifo.fd, `${REOPEN_LOG} 0 0\n`);
  return true;
}

function openFifo(control: string): Disposable & { fd: number } {
  // Without O_NONBLOCK the open would wait for a reader that may be gone.
  const fd = openSync(control, constants.O_WRONLY | constants.O_NONBLOCK);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
