import { expect, test } from "bun:test";
import { indentJson } from "./inspecting.ts";

test("lays JSON out as Go does and keeps order and digits", () => {
  const raw = '[{"b":9223372036854775807,"10":[],"2":{},"s":"a: {\\"x\\", }","n":null,"l":[1,{"k":true}]}]';
  expect(indentJson(raw)).toBe(`[
    {
        "b": 9223372036854775807,
        "10": [],
        "2": {},
        "s": "a: {\\"x\\", }",
        "n": null,
        "l": [
            1,
            {
                "k": true
            }
        ]
    }
]`);
});
