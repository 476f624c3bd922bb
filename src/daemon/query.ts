/** Reads the query strings of the Engine API the way Docker's daemon does. */
import { z } from "zod";
import type { Filters } from "#api/types/query.ts";
import type { Platform } from "#api/types/system.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { parseTime } from "#lib/time.ts";

/** Go reads the first form, and where it cannot, the second. */
const filtersSchema = z
  .union([
    z.record(z.string(), z.record(z.string(), z.boolean()).nullable()),
    z.record(z.string(), z.array(z.string()).nullable()),
  ])
  .nullable();

const falseWords = new Set(["", "0", "no", "false", "none"]);

/** Typed access to query parameters. Methods throw kind "invalid" for what cannot be read. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string {
    return this.#values.get(name) ?? "";
  }

  /** The value, or undefined where it is absent or empty. */
  optional(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }

  list(name: string): string[] {
    return this.#values.getAll(name);
  }

  /** Everything but nothing, 0, no, false and none is true. */
  flag(name: string, absent = false): boolean {
    const value = this.#values.get(name);
    return value === null ? absent : !falseWords.has(value.trim().toLowerCase());
  }

  integer(name: string): number | undefined {
    const value = this.#values.get(name);
    if (value === null || value === "") return undefined;
    if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
    const why = /^[+-]?\d+$/.test(value) ? "value out of range" : "invalid syntax";
    throw new EngineError("invalid", `strconv.Atoi: parsing ${JSON.stringify(value)}: ${why}`);
  }

  /** As `integer`, in the words for sizes. */
  bytes(name: string): number | undefined {
    try {
      return this.integer(name);
    } catch (cause) {
      throw new EngineError(
        "invalid",
        `${name} is in bytes and expects an integer, got ${this.text(name)}: ${errorMessage(cause)}`,
        { cause },
      );
    }
  }

  /** Unix seconds with a fraction, or RFC 3339; answers nanoseconds. Empty and 0 are undefined. */
  time(name: string): bigint | undefined {
    const value = this.#values.get(name);
    if (value === null || value === "" || value === "0") return undefined;
    const match = /^(-?)(\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(value);
    if (match !== null) {
      const [, sign, seconds = "", fraction = ""] = match;
      const time = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
      return sign === "-" ? -time : time;
    }
    const parsed = parseTime(value);
    if (parsed !== undefined) return parsed;
    const why = /^[+-]?\d+$/.test(value) ? "value out of range" : "invalid syntax";
    throw new EngineError("invalid", `strconv.ParseInt: parsing ${JSON.stringify(value)}: ${why}`);
  }

  /** `filters`, in both of its forms: name to set, and name to list. All of them in one form, as Docker has it. */
  filters(): Filters {
    const text = this.#values.get("filters");
    const filters: Record<string, string[]> = Object.create(null);
    if (text === null || text === "") return filters;
    const parsed = filtersSchema.safeParse(parseFilters(text));
    if (!parsed.success) throw new EngineError("invalid", "invalid filter");
    for (const [name, values] of Object.entries(parsed.data ?? {})) {
      // What a set says of its members, true or false, makes no difference to Docker.
      filters[name] = Array.isArray(values) ? values : Object.keys(values ?? {});
    }
    return filters;
  }

  /** `os[/arch[/variant]]`, as create and pull have it. */
  platformText(name: string): Platform | undefined {
    const value = this.#values.get(name);
    return value === null || value === "" ? undefined : parsePlatform(value);
  }

  /** True or false in Go's words; absent and empty is false. */
  strictFlag(name: string): boolean {
    const value = this.text(name);
    if (["1", "t", "T", "true", "TRUE", "True"].includes(value)) return true;
    if (["", "0", "f", "F", "false", "FALSE", "False"].includes(value)) return false;
    throw new EngineError(
      "invalid",
      `invalid value for ${name}: ${value}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }

  /** Columns or rows of a terminal; `what` is how Docker calls it. */
  size(name: string, what: string): number {
    const value = this.text(name);
    const outOfRange = /^-?\d+$/.test(value) && (value.startsWith("-") || Number(value) > 0xffff_ffff);
    if (/^\d+$/.test(value) && !outOfRange) return Number(value);
    const why = outOfRange ? "value out of range" : "invalid syntax";
    throw new EngineError("invalid", `invalid resize ${what} ${JSON.stringify(value)}: ${why}`);
  }

  /** An OCI platform in JSON, as newer routes have it; repeated or in a list. */
  platforms(name: string): Platform[] {
    return this.#values
      .getAll(name)
      .filter((text) => text !== "")
      .flatMap((text) => {
        const value = parsePlatformJson(text);
        return (Array.isArray(value) ? value : [value]).map(toPlatform);
      });
  }
}

/** Throws kind "invalid". */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new EngineError(
      "invalid",
      `${JSON.stringify(text)}: invalid platform: it should be of the form os[/arch[/variant]]`,
    );
  }
  const [os = "", architecture, variant] = parts;
  const arch = architecture ?? hostArchitecture();
  return { os, architecture: aliases[arch] ?? arch, ...(variant === undefined ? {} : { variant }) };
}

const aliases: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
  i386: "386",
};

/** In Go's words. */
export function hostArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch === "ia32" ? "386" : process.arch;
}

function toPlatform(value: unknown): Platform {
  const { os, architecture, variant, "os.version": version } = Object(value) as Record<string, unknown>;
  if (typeof os !== "string" || os === "" || typeof architecture !== "string" || architecture === "") {
    const half = !os && !architecture && (variant || version);
    throw new EngineError(
      "invalid",
      half
        ? "optional platform fields provided, but OS and Architecture are missing"
        : "both OS and Architecture must be provided",
    );
  }
  return { os, architecture, ...(typeof variant === "string" && variant !== "" ? { variant } : {}) };
}

function parsePlatformJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EngineError("invalid", `failed to parse platform: ${(cause as Error).message}`, { cause });
  }
}

/** Undefined for what is no JSON. */
function parseFilters(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
