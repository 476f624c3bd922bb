/** The functions that templates call: Go's own and those Docker adds. */
import { sprintf } from "./printf.ts";
import { encodeJson, entriesOf, isStruct, print, truth, typeName, type Value } from "./value.ts";

/** Throws an Error whose message completes `error calling NAME: …`. */
export type TemplateFunction = (...args: Value[]) => Value;
export type Functions = Readonly<Record<string, TemplateFunction>>;

/** Evaluated one argument at a time by the interpreter, since they stop early. */
export const lazyFunctions: ReadonlySet<string> = new Set(["and", "or"]);

/** Those that take any number of arguments after the ones they name. */
export const variadicFunctions: ReadonlySet<string> = new Set([
  "index",
  "slice",
  "print",
  "println",
  "printf",
  "html",
  "js",
  "urlquery",
  "eq",
]);

/** Go's and Docker's, save `and` and `or`. */
export const functions: Functions = {
  not: (value) => !truth(value),
  len: length,
  index,
  slice,
  print: sprint,
  println: (...args) => `${args.map(print).join(" ")}\n`,
  printf: (format, ...args) => sprintf(text(format), args),
  html: (...args) => sprint(...args).replace(/[&<>"'\0]/g, (char) => htmlEntities[char] ?? char),
  js: (...args) => sprint(...args).replace(/[\\'"<>&=\n\r\t]/g, (char) => jsEscapes[char] ?? char),
  urlquery: (...args) =>
    encodeURIComponent(sprint(...args))
      .replaceAll("%20", "+")
      .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
  eq: (first, ...others) => {
    if (others.length === 0) throw new Error("missing argument for comparison");
    return others.some((other) => compare(first, other) === 0);
  },
  ne: (a, b) => compare(a, b) !== 0,
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
  json: encodeJson,
  split: (value, separator) => text(value).split(text(separator)),
  join,
  title: (value) =>
    text(value).replace(
      /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
      (_all, before: string, letter: string) => before + letter.toUpperCase(),
    ),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  pad: (value, before, after) =>
    text(value) === "" ? "" : " ".repeat(Number(before)) + text(value) + " ".repeat(Number(after)),
  truncate: (value, size) => Buffer.from(text(value)).subarray(0, Number(size)).toString(),
};

/** Header rows show the column's name whatever the template does with the value. */
export const headerFunctions: Functions = {
  ...functions,
  json: (value) => value,
  split: (value, _separator) => value,
  join: (value, _separator) => value,
  title: (value) => value,
  lower: (value) => value,
  upper: (value) => value,
  truncate: (value, _size) => value,
};

const htmlEntities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
  "\0": "\ufffd",
};
const jsEscapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "<": "\\u003C",
  ">": "\\u003E",
  "&": "\\u0026",
  "=": "\\u003D",
  "\n": "\\u000A",
  "\r": "\\u000D",
  "\t": "\\u0009",
};

function text(value: Value): string {
  if (typeof value === "string") return value;
  throw new Error(`wrong type for value; expected string; got ${typeName(value)}`);
}

/** fmt.Sprint: a space between two operands when neither is a string. */
function sprint(...args: Value[]): string {
  return args
    .map(
      (value, at) =>
        (at > 0 && typeof value !== "string" && typeof args[at - 1] !== "string" ? " " : "") + print(value),
    )
    .join("");
}

function length(value: Value): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  const entries = entriesOf(value);
  if (entries) return entries.length;
  if (value === null || value === undefined) throw new Error("len of nil pointer");
  throw new Error(`len of type ${typeName(value)}`);
}

function index(value: Value, ...keys: Value[]): Value {
  return keys.reduce<Value>((item, key) => {
    if (item === null || item === undefined) throw new Error("index of untyped nil");
    if (Array.isArray(item) || typeof item === "string") {
      if (typeof key !== "number" || !Number.isInteger(key))
        throw new Error(`cannot index slice/array with type ${typeName(key)}`);
      const size = typeof item === "string" ? Buffer.byteLength(item) : item.length;
      if (key < 0 || key >= size) throw new Error(`index out of range: ${key}`);
      return typeof item === "string" ? Buffer.from(item)[key] : item[key];
    }
    if (item instanceof Map) return item.get(String(key)) ?? zeroOf(item);
    if (!isStruct(item)) throw new Error(`can't index item of type ${typeName(item)}`);
    return item[String(key)];
  }, value);
}

/** What Go yields for a key that a map lacks: the zero value of its elements. */
function zeroOf(map: ReadonlyMap<Value, Value>): Value {
  return [...map.values()].every((item) => typeof item === "string") ? "" : undefined;
}

function slice(value: Value, ...bounds: Value[]): Value {
  if (typeof value !== "string" && !Array.isArray(value))
    throw new Error(`can't slice item of type ${typeName(value)}`);
  const bytes = typeof value === "string" ? Buffer.from(value) : undefined;
  const size = bytes?.length ?? value.length;
  const [from = 0, to = size] = bounds.map(Number);
  for (const bound of [from, to]) if (bound < 0 || bound > size) throw new Error(`index out of range: ${bound}`);
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  return bytes ? bytes.subarray(from, to).toString() : value.slice(from, to);
}

function join(value: Value, separator: Value): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(print).join(text(separator));
  const entries = entriesOf(value);
  if (!entries) throw new Error(`expected slice, got ${typeName(value)}`);
  return entries
    .map(([, item]) => print(item))
    .toSorted()
    .join(text(separator));
}

function compare(a: Value, b: Value): number {
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  const nil = (value: Value) => value === null || value === undefined;
  if (nil(a) || nil(b)) return nil(a) && nil(b) ? 0 : 1;
  if (typeof a !== typeof b) throw new Error("incompatible types for comparison");
  if (typeof a === "object") throw new Error(`non-comparable type ${print(a)}: ${typeName(a)}`);
  return a === b ? 0 : 1;
}

function order(a: Value, b: Value): number {
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (typeof a !== typeof b) throw new Error("incompatible types for comparison");
  if (typeof a !== "string" || typeof b !== "string") throw new Error("invalid type for comparison");
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}
