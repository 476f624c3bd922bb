import { expect, test } from "bun:test";
import { naturally } from "./natural.ts";

test.each([
  ["names with numbers", ["a", "a2", "a02", "a10", "a10b", "b1"]],
  ["capitals", ["B", "_x", "a", "a-1", "aB", "ab"]],
  ["ports", ["53/udp -> 0.0.0.0:18130", "53/udp -> [::1]:1", "53/udp -> [::]:18130", "80/tcp -> 127.0.0.1:9"]],
  ["numbers beyond 2^53", ["9007199254740992", "9007199254740993"]],
  ["nothing and a part", ["", "a", "a1", "a1x"]],
])("%s are in Docker's order", (_, names) => {
  expect(names.toReversed().toSorted(naturally)).toEqual(names);
});
