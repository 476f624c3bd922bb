/**
 * Asks a DNS server, one question after the other, as resolvers do: again after a while, and over TCP where an answer
 * was cut off only if told so. `bun dns-client.ts SERVER PATIENCE_MS TRIES QUESTIONS` prints the answers as JSON.
 */
import { type Answer, decodeAnswer, encodeQuestion, type Question } from "./dns-wire.ts";

const [, , hostname = "", patience = "", tries = "", questions = ""] = process.argv;
const none: Answer = { code: "none", records: [], truncated: false, name: "", edns: false };

async function overUdp(message: Buffer): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  const socket = await Bun.udpSocket({
    connect: { hostname, port: 53 },
    socket: {
      data: (_, bytes) => resolve(decodeAnswer(bytes)),
      error: () => resolve(undefined),
    },
  });
  socket.send(message);
  const timer = setTimeout(() => resolve(undefined), Number(patience));
  const answer = await promise;
  clearTimeout(timer);
  socket.close();
  return answer;
}

async function overTcp(message: Buffer): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  let received = Buffer.alloc(0);
  const framed = Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]);
  const timer = setTimeout(() => resolve(undefined), Number(patience));
  const socket = await Bun.connect({
    hostname,
    port: 53,
    socket: {
      data(_, bytes) {
        received = Buffer.concat([received, bytes]);
        if (received.length > 2 && received.length >= 2 + received.readUInt16BE(0)) {
          resolve(decodeAnswer(received.subarray(2)));
        }
      },
      close: () => resolve(undefined),
      error: () => resolve(undefined),
    },
  });
  socket.write(framed);
  const answer = await promise;
  clearTimeout(timer);
  socket.end();
  return answer;
}

const answers: Answer[] = [];
for (const question of JSON.parse(questions) as Question[]) {
  const message = encodeQuestion(Math.floor(Math.random() * 0x10000), question);
  let answer: Answer | undefined;
  for (let i = 0; i < Number(tries) && answer === undefined; i++) {
    answer = await (question.transport === "tcp" ? overTcp(message) : overUdp(message));
  }
  answers.push(answer ?? none);
}
process.stdout.write(JSON.stringify(answers));
