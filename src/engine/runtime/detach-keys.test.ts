import { expect, test } from "bun:test";
import { DetachScanner, parseDetachKeys } from "./detach-keys.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("parses Docker's key names", () => {
  expect([...parseDetachKeys("ctrl-p,ctrl-q")]).toEqual([16, 17]);
  expect([...parseDetachKeys("a,ctrl-@,ctrl-_")]).toEqual([97, 0, 31]);
  expect(() => parseDetachKeys("ctrl-!")).toThrow("Invalid detach keys");
});

test("finds the sequence across chunks and passes on everything else", () => {
  const scanner = new DetachScanner(parseDetachKeys("x,y"));
  expect(scanner.scan(bytes("abx"))).toEqual({ pass: bytes("ab"), detached: false });
  expect(scanner.scan(bytes("z"))).toEqual({ pass: bytes("xz"), detached: false });
  expect(scanner.scan(bytes("xx"))).toEqual({ pass: bytes("x"), detached: false });
  expect(scanner.scan(bytes("y"))).toEqual({ pass: bytes(""), detached: true });
});
