/** The package lists of a suite, searched without taking them apart: they are fifty megabytes of text. */
import { EngineError } from "#lib/errors.ts";
import { parseStanza } from "./stanza.ts";
import { compareVersions } from "./version.ts";

/** Tells from which of several archives a package comes. */
export interface PackageList<Archive> {
  /** A `Packages` file, uncompressed. */
  readonly text: Buffer;
  readonly archive: Archive;
}

export interface Package<Archive> {
  readonly name: string;
  readonly version: string;
  /** Groups of alternatives, one of each of which must be there. */
  readonly depends: readonly (readonly Relation[])[];
  readonly provides: readonly Relation[];
  /** Below the archive's root. */
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly archive: Archive;
}

/** `name (operator version)`; the operator is empty where any version will do. */
export interface Relation {
  readonly name: string;
  readonly operator: string;
  readonly version: string;
}

interface Place {
  readonly list: number;
  readonly start: number;
}

/** Where several lists have a package, the newest version counts. */
export class PackageIndex<Archive> {
  readonly #lists: readonly PackageList<Archive>[];
  readonly #places = new Map<string, Place[]>();
  readonly #found = new Map<string, Package<Archive> | undefined>();
  #providers: Map<string, Set<string>> | undefined;

  constructor(lists: readonly PackageList<Archive>[]) {
    this.#lists = lists;
    for (const [list, { text }] of lists.entries()) {
      for (let start = 0; start < text.length;) {
        const name = nameAt(text, start);
        if (name !== undefined) {
          const places = this.#places.get(name);
          if (places === undefined) this.#places.set(name, [{ list, start }]);
          else places.push({ list, start });
        }
        start = endOf(text, start) + 2;
      }
    }
  }

  /** Undefined where no list has a package of that very name. */
  find(name: string): Package<Archive> | undefined {
    if (this.#found.has(name)) return this.#found.get(name);
    const versions = (this.#places.get(name) ?? []).map((place) => this.#parse(place));
    const newest = versions.toSorted((a, b) => compareVersions(b.version, a.version))[0];
    this.#found.set(name, newest);
    return newest;
  }

  /** Packages that provide the virtual package `name`, by name. */
  providers(name: string): Package<Archive>[] {
    this.#providers ??= this.#findProviders();
    return [...(this.#providers.get(name) ?? [])].toSorted().flatMap((provider) => {
      const found = this.find(provider);
      return found?.provides.some((provided) => provided.name === name) === true ? [found] : [];
    });
  }

  /** Names of the packages that every system of the suite has: essential ones, and those of priority "required". */
  base(): string[] {
    const names = new Set<string>();
    for (const { text } of this.#lists) {
      for (const line of ["\nEssential: yes\n", "\nPriority: required\n"]) {
        for (const start of stanzasWith(text, line)) names.add(nameAt(text, start) ?? "");
      }
    }
    return [...names].toSorted();
  }

  #findProviders(): Map<string, Set<string>> {
    const providers = new Map<string, Set<string>>();
    for (const { text } of this.#lists) {
      for (const start of stanzasWith(text, "\nProvides: ")) {
        const fields = parseStanza(text.toString("utf8", start, endOf(text, start)));
        for (const group of parseRelations(fields.get("provides") ?? "")) {
          for (const { name } of group) {
            const names = providers.get(name) ?? new Set();
            providers.set(name, names.add(fields.get("package") ?? ""));
          }
        }
      }
    }
    return providers;
  }

  #parse({ list, start }: Place): Package<Archive> {
    const { text, archive } = this.#lists[list] as PackageList<Archive>;
    const fields = parseStanza(text.toString("utf8", start, endOf(text, start)));
    const field = (name: string): string => {
      const value = fields.get(name);
      if (value === undefined)
        throw new EngineError("invalid", `a package list lacks ${name} of ${fields.get("package")}`);
      return value;
    };
    const size = Number(field("size"));
    if (!Number.isSafeInteger(size) || size <= 0) {
      throw new EngineError("invalid", `a package list gives ${field("package")} the size ${field("size")}`);
    }
    const depends = [fields.get("pre-depends"), fields.get("depends")].filter((text) => text !== undefined);
    return {
      name: field("package"),
      version: field("version"),
      depends: depends.flatMap(parseRelations),
      provides: parseRelations(fields.get("provides") ?? "").flat(),
      filename: field("filename"),
      size,
      sha256: field("sha256"),
      archive,
    };
  }
}

/** `a (>= 1) | b, c:any`: groups at commas, alternatives at bars. */
export function parseRelations(text: string): Relation[][] {
  return text
    .split(",")
    .map((group) =>
      group.split("|").flatMap((alternative) => {
        const match = /^\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?/.exec(
          alternative,
        );
        return match === null ? [] : [{ name: match[1] ?? "", operator: match[2] ?? "", version: match[3] ?? "" }];
      }),
    )
    .filter((group) => group.length > 0);
}

function nameAt(text: Buffer, start: number): string | undefined {
  const key = "Package: ";
  if (text.toString("latin1", start, start + key.length) !== key) return undefined;
  return text.toString("latin1", start + key.length, text.indexOf("\n", start));
}

function endOf(text: Buffer, start: number): number {
  const end = text.indexOf("\n\n", start);
  return end < 0 ? text.length : end;
}

function* stanzasWith(text: Buffer, line: string): Generator<number> {
  for (let at = text.indexOf(line); at >= 0; at = text.indexOf(line, at + 1)) {
    const before = text.lastIndexOf("\n\n", at);
    yield before < 0 ? 0 : before + 2;
  }
}
