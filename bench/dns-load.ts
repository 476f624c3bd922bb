/**
 * Asks 127.0.0.11 for one name with many queries under way, as fast as they are answered, and prints answers per second:
 * `bun dns-load.ts NAME SECONDS WINDOW`. To be run in a container's network namespace.
 */
import { decodeAnswer, encodeQuestion } from "../tests/harness/dns-wire.ts";

const [, , name = "", seconds = "2", window = "64"] = process.argv;
const query = encodeQuestion(0, { name });
let id = 0;
let answered = 0;
let wrong = 0;

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.11", port: 53 },
  socket: {
    data(_, bytes) {
      // Reading every answer would measure this program.
      if (answered % 1000 === 0 && decodeAnswer(bytes).records.length !== 1) wrong++;
      if ((bytes.readUInt16BE(2) & 15) !== 0 || bytes.readUInt16BE(6) !== 1) wrong++;
      answered++;
      send();
    },
  },
});

function send(): void {
  query.writeUInt16BE(id++ & 0xffff);
  socket.send(query);
}

function fill(): void {
  for (let i = 0; i < Number(window); i++) send();
}

fill();
// All under way may be lost where the server falls behind.
let before = 0;
const refill = setInterval(() => {
  if (answered === before) fill();
  before = answered;
}, 200);
// The server's own code warms up, too.
await Bun.sleep(500);
const [begun, from] = [performance.now(), answered];
await Bun.sleep(Number(seconds) * 1000);
const rate = (answered - from) / ((performance.now() - begun) / 1000);
clearInterval(refill);
socket.close();
if (wrong > 0) throw new Error(`${wrong} of ${answered} answers are not what they should be`);
process.stdout.write(`${Math.round(rate)}\n`);
