/** Sends bytes to a daemon's socket, whatever they are, and says how it answered. */
import { connect } from "node:net";
import type { Message } from "./message.ts";

/** Statuses of the answers that came, in order; `ended`: the daemon closed; `silent`: nothing came in time. */
export interface Reaction {
  readonly statuses: readonly number[];
  /** Of the first error. */
  readonly message: string;
  readonly how: "answered" | "ended" | "silent" | "garbled";
}

/** Between two pieces. Milliseconds. */
const PAUSE = 2;

/** Waits for `patience` milliseconds at most. Rejects only where the daemon does not take the connection. */
export async function send(socketPath: string, message: Message, patience: number): Promise<Reaction> {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const received: Buffer[] = [];
  const outcome = Promise.withResolvers<"ended" | "answered" | "silent">();
  socket.on("error", () => outcome.resolve("ended"));
  socket.on("end", () => outcome.resolve("ended"));
  socket.on("close", () => outcome.resolve("ended"));
  socket.on("data", (chunk: Buffer) => {
    received.push(chunk);
    if (/^HTTP\/1\.1 (?!100)\d{3}[\s\S]*?\r\n\r\n/m.test(Buffer.concat(received).toString("latin1"))) {
      // The rest of a body comes with its head, or is a stream without end.
      setImmediate(() => outcome.resolve("answered"));
    }
  });
  const timer = setTimeout(() => outcome.resolve("silent"), patience);
  try {
    for (const [i, piece] of message.pieces.entries()) {
      if (i > 0) await Bun.sleep(PAUSE);
      if (socket.destroyed) break;
      socket.write(piece);
    }
    if (message.ending === "break") {
      await Bun.sleep(PAUSE);
      return { statuses: [], message: "", how: "ended" };
    }
    if (message.ending === "shut") socket.end();
    const how = await outcome.promise;
    return describe(Buffer.concat(received).toString("latin1"), how);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function describe(text: string, how: "ended" | "answered" | "silent"): Reaction {
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]));
  const final = statuses.filter((status) => status !== 100);
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? "";
  if (text !== "" && !text.startsWith("HTTP/1.1 "))
    return { statuses: final, message: text.slice(0, 100), how: "garbled" };
  return { statuses: final, message, how: final.length > 0 ? "answered" : how };
}
