import { expect, test } from "bun:test";
import { DetachWatch, parseDetachKeys } from "./detach-keys.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

test("reads key names", () => {
  expect([...parseDetachKeys("")]).toEqual([16, 17]);
  expect([...parseDetachKeys("ctrl-a,b,ctrl-@,ctrl-\\,ctrl-_")]).toEqual([1, 98, 0, 28, 31]);
  expect(() => parseDetachKeys("ctrl-1")).toThrow("invalid detach keys (ctrl-1): Unknown character: 'ctrl-1'");
});

test("passes everything until the whole sequence was typed, also over several chunks", () => {
  const watch = new DetachWatch(parseDetachKeys(""));
  expect(watch.scan(bytes("ab\x10"))).toEqual({ pass: bytes("ab"), detached: false });
  expect(text(watch.scan(bytes("c\x10")).pass)).toBe("\x10c");
  expect(text(watch.scan(bytes("\x10")).pass)).toBe("\x10");
  expect(watch.scan(bytes("\x11rest"))).toEqual({ pass: new Uint8Array(), detached: true });
});
