import { expect, test } from "bun:test";
import { eventJson } from "./event.ts";

test("the wire form keeps every digit of the time", () => {
  const json = eventJson({
    Type: "container",
    Action: "start",
    Actor: { ID: "c", Attributes: { name: 'a"b' } },
    scope: "local",
    time: 1_795_000_000,
    timeNano: 1_795_000_000_123_456_789n,
  });
  expect(json).toBe(
    '{"Type":"container","Action":"start","Actor":{"ID":"c","Attributes":{"name":"a\\"b"}},"scope":"local",' +
      '"time":1795000000,"timeNano":1795000000123456789}',
  );
});
