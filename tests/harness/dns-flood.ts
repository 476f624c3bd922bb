/**
 * Sends many queries for different names without waiting for answers, and prints how many had which code once all are
 * answered, or none was for ten seconds: `bun dns-flood.ts COUNT SUFFIX`
 */
import { type Answer, decodeAnswer, encodeQuestion } from "./dns-wire.ts";

const [, , count = "", suffix = ""] = process.argv;
const codes: Partial<Record<Answer["code"], number>> = {};
const done = Promise.withResolvers<void>();
let missing = Number(count);
let timer = setTimeout(done.resolve, 10_000);

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.11", port: 53 },
  socket: {
    data(_, bytes) {
      const { code } = decodeAnswer(bytes);
      codes[code] = (codes[code] ?? 0) + 1;
      clearTimeout(timer);
      if (--missing === 0) done.resolve();
      else timer = setTimeout(done.resolve, 10_000);
    },
  },
});
for (let i = 0; i < Number(count); i++) {
  socket.send(encodeQuestion(i, { name: `flood${i}.${suffix}` }));
  // What the server's socket has no room for would be lost.
  if (i % 64 === 63) await Bun.sleep(2);
}
await done.promise;
clearTimeout(timer);
socket.close();
process.stdout.write(JSON.stringify(codes));
