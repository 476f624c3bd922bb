/**
 * Sends many queries for different names without waiting for answers, those that have none after five silent seconds
 * again, and prints how many had which code: `bun dns-flood.ts COUNT SUFFIX`
 */
import { type Answer, decodeAnswer, encodeQuestion } from "./dns-wire.ts";

const [, , count = "", suffix = ""] = process.argv;
/** Many answers come at once: what a socket has no room for would be lost. */
const QUERIES_PER_SOCKET = 64;
const codes: Partial<Record<Answer["code"], number>> = {};
const done = Promise.withResolvers<void>();
/** By the name that was asked for: what sends the query. */
const unanswered = new Map<string, () => void>();
let timer = setTimeout(sendAgain, 5000);

function sendAgain(): void {
  for (const send of unanswered.values()) send();
  timer = setTimeout(sendAgain, 5000);
}

function hear(bytes: Buffer): void {
  const { code, name } = decodeAnswer(bytes);
  if (!unanswered.delete(name)) return;
  codes[code] = (codes[code] ?? 0) + 1;
  timer.refresh();
  if (unanswered.size === 0) done.resolve();
}

for (let first = 0; first < Number(count); first += QUERIES_PER_SOCKET) {
  const connect = { hostname: "127.0.0.11", port: 53 };
  const socket = await Bun.udpSocket({ connect, socket: { data: (_, bytes) => hear(bytes) } });
  for (let i = first; i < Math.min(first + QUERIES_PER_SOCKET, Number(count)); i++) {
    const name = `flood${i}.${suffix}`;
    const send = () => void socket.send(encodeQuestion(i, { name }));
    unanswered.set(name, send);
    send();
  }
  // All within half a second: a server that is new to it must not fall behind by more than its socket holds.
  await Bun.sleep(10);
}
await done.promise;
clearTimeout(timer);
process.stdout.write(JSON.stringify(codes), () => process.exit(0));
