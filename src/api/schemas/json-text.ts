/** Reads JSON text as Go's decoder does: one value, with Go's words for what is no JSON. */
import { EngineError } from "#lib/errors.ts";

const BLANK = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;

/** Deeper than any request; Go's own limit is 10,000. */
const MAX_DEPTH = 1000;

/**
 * The one value of a request's body. Throws kind "invalid": `invalid JSON: unexpected EOF`, `invalid JSON: invalid
 * character 'x' looking for beginning of value`, `unexpected content after JSON`.
 */
export function parseJsonBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Only a failure is worth knowing exactly.
    const end = new Scanner(text).value(0, 0);
    const rest = text.slice(end).trimStart();
    // Go takes a bracket too many for the end of something it reads.
    if (rest === "" || rest.startsWith("]") || rest.startsWith("}")) return JSON.parse(text.slice(0, end));
    throw new EngineError("invalid", "unexpected content after JSON");
  }
}

class Scanner {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the value that begins at `from` ends. */
  value(from: number, depth: number): number {
    if (depth > MAX_DEPTH) throw new EngineError("invalid", "invalid JSON: exceeded max depth");
    const at = this.#blank(from);
    const char = this.#text[at];
    if (char === "{") return this.#members(at + 1, depth, "}");
    if (char === "[") return this.#members(at + 1, depth, "]");
    if (char === '"') return this.#string(at);
    const end = this.#match(NUMBER, at) ?? this.#match(WORD, at);
    if (end !== undefined) return end;
    const cutOff = ["true", "false", "null"].some((word) => word.startsWith(this.#text.slice(at)));
    throw cutOff || this.#text.slice(at) === "-"
      ? unexpectedEnd()
      : this.#unexpected(at, "looking for beginning of value");
  }

  #members(from: number, depth: number, close: "}" | "]"): number {
    let at = this.#blank(from);
    if (this.#text[at] === close) return at + 1;
    for (;;) {
      if (close === "}") {
        at = this.#blank(at);
        if (this.#text[at] !== '"') throw this.#unexpected(at, "looking for beginning of object key string");
        at = this.#blank(this.#string(at));
        if (this.#text[at] !== ":") throw this.#unexpected(at, "after object key");
        at++;
      }
      at = this.#blank(this.value(at, depth + 1));
      if (this.#text[at] === close) return at + 1;
      if (this.#text[at] !== ",") {
        throw this.#unexpected(at, close === "}" ? "after object key:value pair" : "after array element");
      }
      at++;
    }
  }

  #string(at: number): number {
    const end = this.#match(STRING, at);
    if (end !== undefined) return end;
    for (let i = at + 1; i < this.#text.length; i++) {
      const char = this.#text[i] as string;
      if (char < " ") throw this.#unexpected(i, "in string literal");
      if (char !== "\\") continue;
      const escape = this.#text[++i];
      if (escape !== undefined && !'"\\/bfnrtu'.includes(escape)) throw this.#unexpected(i, "in string escape code");
      if (escape !== "u") continue;
      for (const last = i + 4; i < last;) {
        const digit = this.#text[++i];
        if (digit !== undefined && !/[0-9a-fA-F]/.test(digit)) {
          throw this.#unexpected(i, "in \\u hexadecimal character escape");
        }
      }
    }
    throw unexpectedEnd();
  }

  #blank(at: number): number {
    return this.#match(BLANK, at) ?? at;
  }

  #match(pattern: RegExp, at: number): number | undefined {
    pattern.lastIndex = at;
    const match = pattern.exec(this.#text);
    return match === null ? undefined : at + match[0].length;
  }

  #unexpected(at: number, where: string): EngineError {
    const char = this.#text[at];
    if (char === undefined) return unexpectedEnd();
    const shown = char === "'" ? "'\\''" : char === '"' ? `'"'` : `'${JSON.stringify(char).slice(1, -1)}'`;
    return new EngineError("invalid", `invalid JSON: invalid character ${shown} ${where}`);
  }
}

function unexpectedEnd(): EngineError {
  return new EngineError("invalid", "invalid JSON: unexpected EOF");
}
