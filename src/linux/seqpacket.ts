/** Sockets of whole packets (AF_UNIX, SOCK_SEQPACKET) on the event loop: how conmon passes a container's streams. */
import { openSync, closeSync, constants } from "node:fs";
import { basename, dirname } from "node:path";
import type { Socket, SocketHandler } from "bun";
import { closeFd } from "./descriptor.ts";
import { checked } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_FLAGS = 0o2000000 | 0o4000; // SOCK_CLOEXEC | SOCK_NONBLOCK
/** Below the smallest buffer that conmon has read into (it cuts off what is longer). */
const LARGEST_PACKET = 16 * 1024;
/** sizeof(sun_path), its final NUL included. */
const SUN_PATH = 108;

export interface SeqpacketHandlers {
  /** One packet. While a returned promise is pending nothing more is read: that is the backpressure. */
  onPacket(packet: Uint8Array): void | Promise<void>;
  /** The other side is gone and every packet was handed over. Called once, also after `close`. */
  onClose(): void;
}

export interface SeqpacketConnection {
  /** Settles when the kernel has taken all of it, as packets of at most 16 KiB; at once where the other side is gone. */
  write(bytes: Uint8Array): Promise<void>;
  /** The other side reads an end; what it still sends goes on arriving. */
  shutdownWrite(): void;
  close(): void;
}

/** Connects to the listening socket at `path`, of any length. Rejects with SyscallError ("not-found", …). */
export async function connectSeqpacket(path: string, handlers: SeqpacketHandlers): Promise<SeqpacketConnection> {
  const fd = checked(
    `cannot connect to ${path}`,
    "AF_UNIX SOCK_SEQPACKET",
    "socket",
    AF_UNIX,
    SOCK_SEQPACKET | SOCK_FLAGS,
    0,
  );
  try {
    connectTo(fd, path);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return adoptSeqpacket(fd, handlers);
}

/** Takes over a connected, non-blocking descriptor. */
export async function adoptSeqpacket(fd: number, handlers: SeqpacketHandlers): Promise<SeqpacketConnection> {
  let drained = Promise.withResolvers<void>();
  let open = true;
  let handled: void | Promise<void>;
  const socket: SocketHandler = {
    binaryType: "uint8array",
    data(self: Socket, packet: Uint8Array) {
      // With one packet still in hand, a second can arrive before the pause takes hold: keep their order.
      const taken =
        handled instanceof Promise ? handled.then(() => handlers.onPacket(packet)) : handlers.onPacket(packet);
      if (!(taken instanceof Promise)) return;
      self.pause();
      handled = taken;
      void taken.finally(() => {
        if (handled !== taken) return;
        handled = undefined;
        if (open) self.resume();
      });
    },
    drain() {
      drained.resolve();
      drained = Promise.withResolvers();
    },
    close() {
      open = false;
      drained.resolve();
      void Promise.resolve(handled).finally(() => handlers.onClose());
    },
    error() {},
  };
  // The types know listening ports and paths only; `fd` adopts a connected socket.
  const connection = await Bun.connect({ fd, socket } as unknown as Bun.UnixSocketOptions);
  let tail: Promise<void> = Promise.resolve();
  const send = async (bytes: Uint8Array): Promise<void> => {
    for (let at = 0; at < bytes.length;) {
      if (!open) return;
      const sent = connection.write(bytes.subarray(at, at + LARGEST_PACKET));
      if (sent > 0) at += sent;
      else await drained.promise;
    }
  };
  return {
    write: (bytes) => (tail = tail.then(() => send(bytes))),
    shutdownWrite: () => void tail.then(() => open && connection.shutdown()),
    close: () => void connection.end(),
  };
}

function connectTo(fd: number, path: string): void {
  if (Buffer.byteLength(path) < SUN_PATH) return connectAddress(fd, path, path);
  // Longer ones are reached through their folder's descriptor.
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    connectAddress(fd, `/proc/self/fd/${folder}/${basename(path)}`, path);
  } finally {
    closeSync(folder);
  }
}

function connectAddress(fd: number, address: string, shown: string): void {
  const sockaddr = new Uint8Array(2 + SUN_PATH);
  new DataView(sockaddr.buffer).setUint16(0, AF_UNIX, true);
  new TextEncoder().encodeInto(address, sockaddr.subarray(2));
  checked(`cannot connect to ${shown}`, shown, "connect", fd, sockaddr, sockaddr.length);
}
