import { expect, test } from "bun:test";
import { cutReason, SEAL_SIZE, Sealer, SealReader } from "./seal.ts";

const content = Buffer.from("what somebody wants to keep ".repeat(40));

function sealed(): Buffer {
  const sealer = new Sealer();
  sealer.update(content);
  return Buffer.concat([content, sealer.seal()]);
}

/** What a reader gets of a stream that comes in pieces of so many bytes. */
function read(stream: Uint8Array, size: number): string {
  const reader = new SealReader();
  const inner: Buffer[] = [];
  for (let at = 0; at < stream.length; at += size) inner.push(Buffer.from(reader.push(stream.subarray(at, at + size))));
  reader.end("the stream");
  return Buffer.concat(inner).toString();
}

test("content comes out of its seal in pieces of any size", () => {
  expect(sealed().length).toBe(content.length + SEAL_SIZE);
  for (const size of [1, 7, SEAL_SIZE, 500, 5000]) expect(read(sealed(), size)).toBe(content.toString());
});

test("every flipped bit and every cut is found", () => {
  const whole = sealed();
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (whole[at] ?? 0) ^ (1 << (at % 8));
    expect(() => read(damaged, 300)).toThrow("the stream is");
    expect(() => read(whole.subarray(0, at), 300)).toThrow("the stream is cut off, or none at all: its end is missing");
  }
});

test("a stream that was given up tells why", () => {
  const cut = Buffer.concat([content, new Sealer().cut("the file grüße\nchanged")]);
  expect(cutReason(cut)).toBe("the file grüße\nchanged");
  expect(() => read(cut, 300)).toThrow("the stream was never finished: the file grüße\nchanged");
  expect(cutReason(sealed())).toBeUndefined();
  expect(cutReason(cut.subarray(0, -1))).toBeUndefined();
});

test("decompressors pass over a seal", () => {
  const sealer = new Sealer();
  const packed = Bun.zstdCompressSync(content);
  sealer.update(packed);
  expect(Bun.zstdDecompressSync(Buffer.concat([packed, sealer.seal()])).toString()).toBe(content.toString());
});
