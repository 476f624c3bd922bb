import { expect, test } from "bun:test";
import { BodyDecoder, startOf } from "./decoder.ts";

/** The content in pieces of `size` bytes each, and what follows the body. Position survives as JSON between pieces. */
function decodeInPieces(raw: string, size: number, framing = startOf({ kind: "chunked" })): [string, string] {
  let content = "";
  let position = framing;
  for (let at = 0; at < raw.length; at += size) {
    const piece = Buffer.from(raw.slice(at, at + size), "latin1");
    const decoder = new BodyDecoder(JSON.parse(JSON.stringify(position)) as typeof position);
    const { start, end, used } = decoder.decode(piece);
    content += piece.toString("latin1", start, end);
    if (decoder.done) return [content, piece.toString("latin1", used) + raw.slice(at + size)];
    expect(used).toBe(piece.length);
    position = decoder.position;
  }
  throw new Error(`it never ended: ${content}`);
}

const next = "GET /next HTTP/1.1\r\n\r\n";

test("chunks are one content wherever the pieces end, and the next request is left alone", () => {
  const content = "a line\r\n0\r\n\r\nwithin".repeat(20);
  const chunks = [1, 16, 3, 255].map((size, index) => {
    const from = [0, 1, 17, 20][index] as number;
    const piece = content.slice(from, from + size);
    return `${piece.length.toString(16)}${["", ";a=b", ' ; name="quoted"', ""][index]}\r\n${piece}\r\n`;
  });
  const rest = content.slice(275);
  const raw = `${chunks.join("")}0${rest.length.toString(16).toUpperCase()}\r\n${rest}\r\n000;last\r\nX-Sum: 1\r\nY: 2\r\n\r\n${next}`;
  for (let size = 1; size <= raw.length; size++) expect(decodeInPieces(raw, size)).toEqual([content, next]);
});

test("a body of announced length ends there, and one that is absent at once", () => {
  const framing = startOf({ kind: "length", length: 5 });
  for (let size = 1; size < 12; size++) expect(decodeInPieces(`12345${next}`, size, framing)).toEqual(["12345", next]);
  const none = new BodyDecoder(startOf({ kind: "none" }));
  expect(none.done).toBe(true);
  expect(none.decode(Buffer.from(next))).toEqual({ start: 0, end: 0, used: 0 });
});

test("what remains is known of an announced length only", () => {
  const sized = new BodyDecoder(startOf({ kind: "length", length: 5 }));
  sized.decode(Buffer.from("12"));
  expect(sized.remaining).toBe(3);
  const chunked = new BodyDecoder(startOf({ kind: "chunked" }));
  chunked.decode(Buffer.from("2\r\n12\r\n"));
  expect(chunked.remaining).toBe(Number.POSITIVE_INFINITY);
  chunked.decode(Buffer.from("0\r\n\r\n"));
  expect(chunked.remaining).toBe(0);
});

for (const [what, raw] of [
  ["no size", "\r\n"],
  ["a size that is none", "12x\r\n"],
  ["a negative size", "-1\r\n"],
  ["a size beyond all numbers", `${"f".repeat(13)}\r\n`],
  ["a bare line feed", "3\nabc\r\n"],
  ["more content than announced", "3\r\nabcd\r\n"],
  ["an endless line", `3;${"x".repeat(5000)}`],
  ["an endless trailer", `0\r\n${"X: y\r\n".repeat(20_000)}`],
] as const) {
  test(`${what} is malformed`, () => {
    const whole = new BodyDecoder(startOf({ kind: "chunked" }));
    expect(() => whole.decode(Buffer.from(raw))).toThrow("malformed chunked encoding");
    const slow = new BodyDecoder(startOf({ kind: "chunked" }));
    expect(() => {
      for (const byte of Buffer.from(raw)) slow.decode(Buffer.of(byte));
    }).toThrow("malformed chunked encoding");
  });
}
