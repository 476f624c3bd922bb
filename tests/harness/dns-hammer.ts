/**
 * Asks 127.0.0.11 for one name again and again until its standard input ends, each question up to sixty times, a
 * second apart, and prints a Tally. `bun dns-hammer.ts NAME ADDRESS`
 */
import { decodeAnswer, encodeQuestion } from "./dns-wire.ts";

export interface Tally {
  answered: number;
  /** Questions that had no answer in the end, or a wrong one. */
  failed: number;
  /** Answers of the kernel's that nobody listens. */
  refused: number;
}

const [, , name = "", address = ""] = process.argv;
const tally: Tally = { answered: 0, failed: 0, refused: 0 };
let heard: (records: string[]) => void = () => {};
const input = { ended: false };
void Bun.stdin.text().then(() => (input.ended = true));

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.11", port: 53 },
  socket: {
    data: (_, bytes) => heard(decodeAnswer(bytes).records),
    error: () => void tally.refused++,
  },
});

async function answer(id: number): Promise<string[] | undefined> {
  const { promise, resolve } = Promise.withResolvers<string[] | undefined>();
  heard = resolve;
  socket.send(encodeQuestion(id, { name }));
  const timer = setTimeout(() => resolve(undefined), 1000);
  const records = await promise;
  clearTimeout(timer);
  return records;
}

for (let id = 0; !input.ended; id = (id + 1) % 0x10000) {
  let records: string[] | undefined;
  for (let i = 0; i < 60 && records === undefined; i++) records = await answer(id);
  if (records?.join() === address) tally.answered++;
  else tally.failed++;
}
socket.close();
process.stdout.write(JSON.stringify(tally));
