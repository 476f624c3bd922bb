/** What templates work on, and how Go would print, compare and encode it. */
import { quote } from "../go.ts";

/**
 * Anything JSON can hold (integers beyond 2^53 as bigint), Maps for what Go keeps in a map, plain objects for its
 * structs, and Records for what a list prints.
 */
export type Value = unknown;

/** An object whose fields are computed when a template names them; some take arguments (`.Label "x"`). */
export class Row {
  /** Go's type, as it appears in messages. */
  readonly type: string;
  readonly fields: Readonly<Record<string, (...args: string[]) => Value>>;

  constructor(type: string, fields: Readonly<Record<string, (...args: string[]) => Value>>) {
    this.type = type;
    this.fields = fields;
  }
}

/** Names a struct's type in messages. */
export const goType = Symbol("Go type");

/**
 * A struct whose JSON is that of `wire`, while templates read Go's field names: those of `names` that `wire` has too
 * are replaced, the others only added.
 */
export function struct(type: string, wire: object, names: Readonly<Record<string, Value>>): Value {
  const typed = Object.defineProperty({ ...wire }, goType, { value: type });
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(typed, name, { value, enumerable: Object.hasOwn(wire, name) });
  }
  return typed;
}

/** A slice and a map that were never made: empty, but `null` in JSON. */
export const nilSlice: readonly Value[] = Object.freeze([]);
export const nilMap: ReadonlyMap<string, Value> = new Map();

/** Keys in Go's order with their values; undefined for what has none. */
export function entriesOf(value: Value): [string, Value][] | undefined {
  if (value instanceof Map)
    return [...value.entries()].map(([k, v]): [string, Value] => [String(k), v]).toSorted(byKey);
  if (isStruct(value)) return Object.entries(value).toSorted(byKey);
  return undefined;
}

function byKey(a: readonly [string, Value], b: readonly [string, Value]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

export function isStruct(value: Value): value is Record<string, Value> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Row)
  );
}

/** Whether `if` takes it for true. */
export function truth(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return Boolean(value);
}

/** `%v`. */
export function print(value: Value): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(print).join(" ")}]`;
  if (value instanceof Map) return `map[${(entriesOf(value) ?? []).map(([k, v]) => `${k}:${print(v)}`).join(" ")}]`;
  if (value instanceof Row) return `{${Object.keys(value.fields).join(" ")}}`;
  if (isStruct(value))
    return `{${Object.values(value)
      .map((item) => (item === null ? "<nil>" : print(item)))
      .join(" ")}}`;
  if (typeof value === "number") return printNumber(value);
  return `${value as string | boolean | bigint}`;
}

function printNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(BigInt(value));
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** The type's name in messages. */
export function typeName(value: Value): string {
  if (value === null || value === undefined) return "<nil>";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint")
    return Number.isInteger(Number(value)) ? "int" : "float64";
  if (Array.isArray(value)) return "[]interface {}";
  if (value instanceof Row) return value.type;
  return "map[string]interface {}";
}

/** encoding/json without HTML escapes, save inside a Row, whose own encoder keeps them. */
export function encodeJson(value: Value): string {
  if (value === null || value === undefined || value === nilSlice || value === nilMap) return "null";
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(encodeJson).join(",")}]`;
  if (value instanceof Map) return encodeFields(entriesOf(value) ?? []);
  if (value instanceof Row) {
    const own = Object.entries(value.fields)
      .filter(([, field]) => field.length === 0)
      .map(([name, field]): [string, Value] => [name, field()]);
    return escapeHtml(encodeFields(own.toSorted(byKey)));
  }
  if (isStruct(value)) return encodeFields(Object.entries(value));
  return escapeLines(JSON.stringify(value));
}

function encodeFields(fields: readonly [string, Value][]): string {
  return `{${fields.map(([key, item]) => `${escapeLines(JSON.stringify(key))}:${encodeJson(item)}`).join(",")}}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

function escapeLines(text: string): string {
  return text.replace(/[\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}

/** A number, or its text, for a message. */
export function describe(value: Value): string {
  return typeof value === "string" ? quote(value) : print(value);
}

/** Parses JSON, keeping integers beyond 2^53 exact as bigint. */
export function parseJson(text: string): Value {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key: string, value: Value, context?: { source?: string }) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source
      ? BigInt(context.source)
      : value,
  );
}
