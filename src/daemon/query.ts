/** Reads the query strings of the Engine API the way Docker's daemon does. */
import type { Filters } from "#api/types/query.ts";
import type { Platform } from "#api/types/system.ts";
import { EngineError } from "#lib/errors.ts";
import { parseTime } from "#lib/time.ts";

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
    if (!/^[+-]?\d{1,15}$/.test(value)) {
      throw new EngineError(
        "invalid",
        `invalid value for ${name}: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
      );
    }
    return Number(value);
  }

  /** Unix seconds with a fraction, or RFC 3339; answers nanoseconds. Empty and 0 are undefined. */
  time(name: string): bigint | undefined {
    const value = this.#values.get(name);
    if (value === null || value === "" || value === "0") return undefined;
    const match = /^(\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(value);
    if (match !== null) return BigInt(match[1] as string) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
    const parsed = parseTime(value);
    if (parsed === undefined)
      throw new EngineError("invalid", `invalid value for ${name}: ${JSON.stringify(value)} is not a timestamp`);
    return parsed;
  }

  /** `filters`, in both of its forms: name to list, and name to set. */
  filters(): Filters {
    const text = this.#values.get("filters");
    const filters: Record<string, string[]> = Object.create(null);
    if (text === null || text === "") return filters;
    for (const [name, values] of Object.entries(asObject(parseJson(text, "filters"), "filters"))) {
      if (Array.isArray(values) && values.every((value) => typeof value === "string")) {
        filters[name] = values;
      } else if (typeof values === "object" && values !== null && !Array.isArray(values)) {
        filters[name] = Object.keys(values).filter((value) => (values as Record<string, unknown>)[value] !== false);
      } else {
        throw new EngineError("invalid", `invalid filter '${name}': values must be a list of strings`);
      }
    }
    return filters;
  }

  /** `os[/arch[/variant]]`, as create and pull have it. */
  platformText(name: string): Platform | undefined {
    const value = this.#values.get(name);
    return value === null || value === "" ? undefined : parsePlatform(value);
  }

  /** An OCI platform in JSON, as newer routes have it; repeated or in a list. */
  platforms(name: string): Platform[] {
    return this.#values
      .getAll(name)
      .filter((text) => text !== "")
      .flatMap((text) => {
        const value = parseJson(text, name);
        return (Array.isArray(value) ? value : [value]).map((item) => toPlatform(asObject(item, name), name));
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

function toPlatform(value: Record<string, unknown>, name: string): Platform {
  const { os, architecture, variant } = value;
  if (typeof os !== "string" || typeof architecture !== "string") {
    throw new EngineError("invalid", `invalid value for ${name}: a platform needs os and architecture`);
  }
  return { os, architecture, ...(typeof variant === "string" && variant !== "" ? { variant } : {}) };
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EngineError("invalid", `invalid value for ${name}: ${(cause as Error).message}`, { cause });
  }
}

function asObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EngineError("invalid", `invalid value for ${name}: it must be a JSON object`);
  }
  return value as Record<string, unknown>;
}
