/** Splits the arguments of Dockerfile instructions given as `--change`: words, quotes, variables, JSON lists. */
import { EngineError } from "#lib/errors.ts";

/** `["a", "b"]` as a list of strings; undefined where the text is not such a JSON list. */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Splits at blanks outside quotes, removes quotes and replaces `$NAME`, `${NAME}`, `${NAME:-default}` and
 * `${NAME:+other}` from `env` outside single quotes. Throws "invalid" for an open quote or brace.
 */
export function shellWords(text: string, env: ReadonlyMap<string, string>): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (quote === "" && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else if (char === "\\" && quote !== "'") {
      const next = text.charAt(++i);
      // Inside double quotes a backslash stays before what needs no quoting.
      word += quote === '"' && !/["\\$]/.test(next) ? `\\${next}` : next;
    } else if (char === "$" && quote !== "'") {
      const { value, length } = expand(text.slice(i), env);
      word += value;
      i += length - 1;
    } else word += char;
  }
  if (quote !== "") throw new EngineError("invalid", "unexpected end of statement while looking for matching quote");
  if (word !== undefined) words.push(word);
  return words;
}

function expand(text: string, env: ReadonlyMap<string, string>): { value: string; length: number } {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text);
  if (plain !== null) return { value: env.get(plain[1] ?? "") ?? "", length: plain[0].length };
  if (!text.startsWith("${")) return { value: "$", length: 1 };
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\}/.exec(text);
  if (braced === null)
    throw new EngineError("invalid", `failed to process "${text}": unsupported modifier or missing brace`);
  const [whole, name = "", modifier, other = ""] = braced;
  const value = env.get(name) ?? "";
  if (modifier === "-") return { value: value === "" ? other : value, length: whole.length };
  if (modifier === "+") return { value: value === "" ? "" : other, length: whole.length };
  return { value, length: whole.length };
}
