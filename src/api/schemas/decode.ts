/** The vocabulary of the request schemas: Go's JSON rules (null and absent are the zero value, unknown fields pass by). */
import { z } from "zod";
import { EngineError } from "#lib/errors.ts";

/** Parses or throws kind "invalid" with the words of Go's decoder. */
export function decodeWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new EngineError("invalid", issue === undefined ? "invalid JSON" : describe(issue), { cause: result.error });
}

function describe(issue: z.core.$ZodIssue): string {
  if (["custom", "invalid_value", "unrecognized_keys"].includes(issue.code)) return issue.message;
  if (issue.code === "invalid_union" && issue.errors[0]?.[0] !== undefined) {
    const inner = issue.errors[0][0];
    return describe({ ...inner, path: [...issue.path, ...inner.path] });
  }
  const wanted =
    issue.code === "invalid_type"
      ? issue.expected
      : issue.code === "too_big" || issue.code === "too_small"
        ? "int"
        : undefined;
  if (wanted === undefined) return `invalid JSON: ${issue.path.join(".")}: ${issue.message}`;
  // Go counts no list's items.
  const path = issue.path.filter((step) => typeof step !== "number").join(".");
  const field = path === "" ? "value" : `struct field ${path}`;
  return `invalid JSON: json: cannot unmarshal ${goName(issue.input)} into Go ${field} of type ${goTypes[wanted] ?? wanted}`;
}

function goName(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value === "number" && !Number.isInteger(value) ? `number ${value}` : typeof value;
}

const goTypes: Readonly<Record<string, string>> = {
  string: "string",
  boolean: "bool",
  int: "int64",
  number: "int64",
  array: "[]string",
  tuple: "[2]uint",
  record: "map[string]string",
  object: "struct",
};

/** `null` and absence become `zero`. */
function orZero<T, Z>(schema: z.ZodType<T>, zero: Z): z.ZodType<T | Z> {
  return schema.nullish().transform((value) => value ?? zero);
}

export const text = orZero(z.string(), "");
export const flag = orZero(z.boolean(), false);
export const integer = orZero(z.int(), 0);
export const optionalInteger = orZero(z.int(), null);
export const optionalFlag = orZero(z.boolean(), null);
export const textList = orZero(z.array(z.string()), null);
export const textMap = orZero(z.record(z.string(), text), null);

/** Go's strslice: a list, or one text that stands for a list of one. */
export const words = orZero(z.union([z.array(z.string()), z.string().transform((one) => [one])]), null);

/** Go's `map[string]struct{}`. */
export const textSet = orZero(
  z
    .record(z.string(), z.looseObject({}).nullable())
    .transform((set) => Object.fromEntries(Object.keys(set).map((key) => [key, {}]))),
  null,
);

export function list<T>(schema: z.ZodType<T>): z.ZodType<T[] | null> {
  return orZero(z.array(schema), null);
}

/** One of `values`; `refusal` words what is said of anything else. */
export function oneOf<const T extends string>(
  values: readonly T[],
  refusal: (value: unknown) => string,
): z.ZodType<T | ""> {
  return orZero(z.string().pipe(z.enum(values, { error: (issue) => refusal(issue.input) })), "");
}

/** Height and width, as Go fills an array of two: what is missing is 0, and what is too much passes by. */
const size = z.array(z.int().min(0)).transform(([height = 0, width = 0]): [number, number] => [height, width]);
export const consoleSize = orZero(size, [0, 0] as [number, number]);
export const optionalConsoleSize = orZero(size, null);

/** Drops keys that Go would leave out as `omitempty`. Changes and answers `value`. */
export function omitEmpty<T extends object>(value: T, keys: readonly OptionalKeys<T>[]): T {
  for (const key of keys) {
    const field = value[key];
    if (field === null || field === undefined || field === "" || field === false || field === 0) delete value[key];
  }
  return value;
}
type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];

/** For Go's `omitempty`: without the fields that are empty. */
export function withoutEmpty<T extends object>(value: T): Partial<T> {
  const filled = ([, field]: [string, unknown]): boolean =>
    Array.isArray(field) ? field.length > 0 : field !== "" && field !== null;
  return Object.fromEntries(Object.entries(value).filter(filled)) as Partial<T>;
}
