import { expect, test } from "bun:test";
import { closeFd } from "#linux/descriptor.ts";
import { Epoll } from "#linux/epoll.ts";
import { acceptFrom, connectTo, listenAt, sendBytes } from "#linux/inet-socket.ts";
import { MessageStream } from "./message-stream.ts";

const loopback = { bytes: Uint8Array.of(127, 0, 0, 1) };

/** Two ends of a connection; `turn` lets them do what they can. */
function connected() {
  const stack = new DisposableStack();
  const epoll = stack.use(new Epoll());
  const listening = listenAt("tcp", loopback, 0);
  stack.defer(() => closeFd(listening.fd));
  const client = connectTo("tcp", loopback, listening.port);
  const server = acceptFrom(listening.fd) ?? -1;
  return { epoll, client, server, turn: () => epoll.wait(20), [Symbol.dispose]: () => stack.dispose() };
}

function listener() {
  const heard = { messages: [] as Uint8Array[], closed: 0 };
  return {
    ...heard,
    onMessage(message: Uint8Array) {
      this.messages.push(message);
    },
    onClose() {
      this.closed++;
    },
  };
}

test("messages arrive whole and in order, however they are cut up on their way", async () => {
  using pair = connected();
  const hears = listener();
  const stream = new MessageStream(pair.epoll, pair.server, hears);
  const framed = Uint8Array.of(0, 3, 1, 2, 3, 0, 1, 9, 0, 0, 0, 2, 7, 8);
  for (const byte of framed) {
    sendBytes(pair.client, Uint8Array.of(byte));
    await pair.turn();
  }
  expect(hears.messages.map((message) => [...message])).toEqual([[1, 2, 3], [9], [], [7, 8]]);
  closeFd(pair.client);
  await pair.turn();
  expect(hears.closed).toBe(1);
  stream.close();
  expect(hears.closed).toBe(1);
});

test("what the other side is slow to read is sent in the end", async () => {
  using pair = connected();
  const hears = listener();
  const sender = new MessageStream(pair.epoll, pair.server, listener());
  const message = crypto.getRandomValues(new Uint8Array(60_000));
  for (let i = 0; i < 3; i++) sender.send(message);
  const receiver = new MessageStream(pair.epoll, pair.client, hears);
  while (hears.messages.length < 3) await pair.turn();
  for (const one of hears.messages) expect(one).toEqual(message);
  for (const stream of [sender, receiver]) stream.close();
});

test("who never reads is cut off", async () => {
  using pair = connected();
  const hears = listener();
  const stream = new MessageStream(pair.epoll, pair.server, hears);
  for (let i = 0; i < 1000 && hears.closed === 0; i++) stream.send(new Uint8Array(60_000));
  expect(hears.closed).toBe(1);
  closeFd(pair.client);
});
