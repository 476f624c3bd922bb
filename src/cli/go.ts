/** Go's text forms of values (strconv, time), which Docker's messages and templates are made of. */

/** strconv.Quote. */
export function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (code >= 0x20 && code < 0x7f) out += char;
    else out += named[char] ?? (code < 0x80 ? `\\x${hex(code, 2)}` : printable(char) ? char : escaped(code));
  }
  return `${out}"`;
}

const named: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

function printable(char: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char);
}

function escaped(code: number): string {
  return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, "0");
}

const trueWords = ["1", "t", "T", "TRUE", "true", "True"];
const falseWords = ["0", "f", "F", "FALSE", "false", "False"];

/** strconv.ParseBool; throws its message. */
export function parseBool(text: string): boolean {
  if (trueWords.includes(text)) return true;
  if (falseWords.includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

/** Range of an integer type: lowest and highest value. */
export interface IntRange {
  readonly bits: number;
  readonly signed: boolean;
}

/**
 * strconv.ParseInt or ParseUint with base 0 (0x, 0o, 0b, leading 0, underscores). Values beyond 2^53 lose
 * their last digits, as every number in JSON does here. Throws Go's message.
 */
export function parseInteger(text: string, { bits, signed }: IntRange): number {
  const func = signed ? "ParseInt" : "ParseUint";
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)$/.exec(text);
  const digits = match?.[2]?.replaceAll("_", "") ?? "";
  const octal = /^0[0-7]+$/.test(digits);
  if (!match || (match[1] && !signed) || (/^0[0-9]+$/.test(digits) && !octal)) {
    throw new Error(`strconv.${func}: parsing ${quote(text)}: invalid syntax`);
  }
  const magnitude = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  const value = match[1] === "-" ? -magnitude : magnitude;
  const highest = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  if (value > highest || value < (signed ? -highest - 1n : 0n)) {
    throw new Error(`strconv.${func}: parsing ${quote(text)}: value out of range`);
  }
  return Number(value);
}

const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** time.ParseDuration, in nanoseconds; throws its message. */
export function parseDuration(text: string): number {
  const invalid = () => new Error(`time: invalid duration ${quote(text)}`);
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return 0;
  if (rest === "") throw invalid();
  let total = 0;
  while (rest !== "") {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) throw invalid();
    rest = rest.slice(number.length);
    const unit = /^[^0-9.]+/.exec(rest)?.[0];
    if (unit === undefined) throw new Error(`time: missing unit in duration ${quote(text)}`);
    const factor = nanoseconds[unit];
    if (factor === undefined) throw new Error(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    total += Number(number) * factor;
    rest = rest.slice(unit.length);
  }
  return sign * Math.round(total);
}
