import { expect, test } from "bun:test";
import { parseJsonBody } from "./json-text.ts";

function told(text: string): string {
  try {
    return JSON.stringify(parseJsonBody(text));
  } catch (error) {
    return (error as Error).message;
  }
}

test("sound JSON is read, and what Go's decoder passes over", () => {
  expect(told('{"a":[1,-0.5e3,true,null,"\\u00e4"]}')).toBe('{"a":[1,-500,true,null,"ä"]}');
  expect(told(' {"a":1} } ')).toBe('{"a":1}');
});

test("what is no JSON is named in Go's words", () => {
  const cases: [string, string][] = [
    ["{", "invalid JSON: unexpected EOF"],
    ['{"a":1', "invalid JSON: unexpected EOF"],
    ['{"a":"b', "invalid JSON: unexpected EOF"],
    ["tru", "invalid JSON: unexpected EOF"],
    ["-", "invalid JSON: unexpected EOF"],
    ["walk", "invalid JSON: invalid character 'w' looking for beginning of value"],
    ["{a:1}", "invalid JSON: invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid JSON: invalid character '1' after object key"],
    ['{"a":1 "b":2}', `invalid JSON: invalid character '"' after object key:value pair`],
    ["[1 2]", "invalid JSON: invalid character '2' after array element"],
    ['"a\nb"', "invalid JSON: invalid character '\\n' in string literal"],
    ['"\\x"', "invalid JSON: invalid character 'x' in string escape code"],
    ['"\\u12x4"', "invalid JSON: invalid character 'x' in \\u hexadecimal character escape"],
    ["{} {}", "unexpected content after JSON"],
    ["{}x", "unexpected content after JSON"],
    [`${"[".repeat(2000)}x`, "invalid JSON: exceeded max depth"],
  ];
  for (const [text, message] of cases) expect([text, told(text)]).toEqual([text, message]);
});
