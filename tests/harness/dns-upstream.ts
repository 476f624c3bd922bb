/**
 * A DNS server that misbehaves on request: `bun dns-upstream.ts ADDRESS MARK` prints "ready". What it answers depends
 * on the first label of the name:
 * - `big`: 100 addresses on TCP, cut off on UDP. `edns`: the UDP size that the query told, as address 0.0.x.y.
 * - `fail`, `refuse`: these codes. `mute`: nothing. `once`: nothing for the first query of the name.
 * - `forged`: an answer of another id, one to another question, and then the true one.
 * - `asked`: how many queries came so far, as address 0.0.x.y.
 * - anything else: address 192.0.2.MARK; of names ending in `.absent`: NXDOMAIN, in `.silent`: nothing.
 */
import { encodeQuestion, readName } from "./dns-wire.ts";

const [, , hostname = "", mark = "1"] = process.argv;
const seen = new Set<string>();
let asked = 0;

function answer(query: Buffer, code: number, addresses: number[][], cut = false): Buffer {
  const end = readName(query, 12)[1] + 4;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(0x8180 | code | (cut ? 0x200 : 0), 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt16BE(0, 10);
  const records = addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address]));
  return Buffer.concat([head, ...records]);
}

function answers(query: Buffer, transport: "udp" | "tcp"): Buffer[] {
  const [name, end] = readName(query, 12);
  asked++;
  const two = (value: number) => [0, 0, value >> 8, value & 255];
  const plain = answer(query, 0, [[192, 0, 2, Number(mark)]]);
  switch (name.split(".")[0]?.toLowerCase()) {
    case "big":
      return transport === "udp"
        ? [answer(query, 0, [], true)]
        : [
            answer(
              query,
              0,
              Array.from({ length: 100 }, (_, i) => [10, 9, 8, i]),
            ),
          ];
    case "edns":
      return [answer(query, 0, [two(query.readUInt16BE(10) === 0 ? 0 : query.readUInt16BE(end + 4 + 3))])];
    case "fail":
      return [answer(query, 2, [])];
    case "refuse":
      return [answer(query, 5, [])];
    case "mute":
      return [];
    case "once":
      if (seen.has(name)) return [plain];
      seen.add(name);
      return [];
    case "forged": {
      const otherId = answer(query, 0, [[6, 6, 6, 6]]);
      otherId.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0);
      const otherName = answer(encodeQuestion(query.readUInt16BE(0), { name: "wrong.example" }), 0, [[6, 6, 6, 7]]);
      return [otherId, otherName, plain];
    }
    case "asked":
      return [answer(query, 0, [two(asked)])];
    default:
      if (name.endsWith(".silent")) return [];
      return [name.endsWith(".absent") ? answer(query, 3, []) : plain];
  }
}

await Bun.udpSocket({
  hostname,
  port: 53,
  socket: {
    data(socket, query, port, address) {
      for (const one of answers(query, "udp")) socket.send(one, port, address);
    },
  },
});
Bun.listen({
  hostname,
  port: 53,
  socket: {
    data(socket, bytes) {
      for (const one of answers(bytes.subarray(2), "tcp")) {
        socket.write(Buffer.concat([Buffer.from([one.length >> 8, one.length & 255]), one]));
      }
    },
  },
});
process.stdout.write("ready\n");
