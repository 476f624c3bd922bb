/** The framing of attach and logs, cut anywhere: what is counted must not depend on how the bytes arrive. */
import { expect, test } from "bun:test";
import { payloadCounter } from "./client.ts";

function frame(stream: 1 | 2, payload: string): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, Buffer.from(payload)]);
}

test("the payload of frames is counted, wherever the chunks end", () => {
  const bytes = Buffer.concat([frame(1, "hello\n"), frame(2, ""), frame(2, "oh"), frame(1, "x".repeat(300))]);
  for (const size of [1, 3, 8, 11, bytes.length]) {
    const count = payloadCounter();
    let payload = 0;
    for (let at = 0; at < bytes.length; at += size) payload += count(bytes.subarray(at, at + size));
    expect(payload).toBe(6 + 2 + 300);
  }
});
