/** Small readers of untrusted JSON, forgiving where Docker's are: a field of the wrong type counts as absent. */
import { EngineError } from "#lib/errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function optionalString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function stringsOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((item) => typeof item === "string");
}

/** Members that are not strings are left out. */
export function stringMap(value: unknown): Record<string, string> | undefined {
  if (!isRecord(value)) return undefined;
  const map: Record<string, string> = Object.create(null);
  for (const [key, member] of Object.entries(value)) if (typeof member === "string") map[key] = member;
  return { ...map };
}

/** The keys of a Go `map[string]struct{}`, as an object with empty members. */
export function stringSet(value: unknown): Record<string, Record<string, never>> | undefined {
  if (!isRecord(value)) return undefined;
  return Object.fromEntries(Object.keys(value).map((key) => [key, {}]));
}

/** Throws kind "invalid" naming `what` where the bytes are not a JSON object. */
export function parseJsonObject(bytes: Uint8Array | string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(typeof bytes === "string" ? bytes : new TextDecoder("utf-8").decode(bytes));
  } catch (cause) {
    throw new EngineError("invalid", `cannot read ${what}: it is not valid JSON`, { cause });
  }
  if (!isRecord(value)) throw new EngineError("invalid", `cannot read ${what}: it is not a JSON object`);
  return value;
}
