/** Contexts on disk, in the form that Docker's command line keeps them: one folder each for metadata and certificates. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ExitError } from "../errors.ts";

export const defaultContext = "default";
export const defaultDescription = "Current DOCKER_HOST based configuration";

export interface ContextMetadata {
  Name: string;
  Metadata: { Description?: string } & Record<string, unknown>;
  Endpoints: { docker?: { Host?: string; SkipTLSVerify?: boolean } } & Record<string, unknown>;
}

/** File names and texts of an endpoint's certificates. */
export type TlsFiles = Readonly<Record<string, string>>;

export class ContextStore {
  readonly #folder: string;

  /** `folder` holds config.json; `contexts` is made in it when the first context is. */
  constructor(folder: string) {
    this.#folder = join(folder, "contexts");
  }

  metadataPath(name: string): string {
    return join(this.#folder, "meta", idOf(name));
  }

  tlsPath(name: string): string {
    return join(this.#folder, "tls", idOf(name));
  }

  /** All but the default one, by name. What cannot be read is left out. */
  list(): ContextMetadata[] {
    let ids: string[];
    try {
      ids = readdirSync(join(this.#folder, "meta"));
    } catch {
      return [];
    }
    return ids
      .flatMap((id) => {
        try {
          return [parseMetadata(readFileSync(join(this.#folder, "meta", id, "meta.json"), "utf8"))];
        } catch {
          return [];
        }
      })
      .toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.list().some(({ Name }) => Name === name);
  }

  /** Throws ExitError in Docker's words for an unknown one. */
  get(name: string): ContextMetadata {
    const file = join(this.metadataPath(name), "meta.json");
    try {
      return parseMetadata(readFileSync(file, "utf8"));
    } catch (cause) {
      const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
      const why = missing ? `context not found: open ${file}: no such file or directory` : (cause as Error).message;
      throw new ExitError(1, `context "${name}": ${why}`, { cause });
    }
  }

  /** Certificates of its docker endpoint; empty where it has none. */
  tls(name: string): TlsFiles {
    const folder = join(this.tlsPath(name), "docker");
    try {
      return Object.fromEntries(
        readdirSync(folder)
          .toSorted()
          .map((file) => [file, readFileSync(join(folder, file), "utf8")]),
      );
    } catch {
      return {};
    }
  }

  /** Writes it anew; the metadata last, so that a context is whole once it can be found. */
  put(metadata: ContextMetadata, tls: TlsFiles): void {
    const { Name } = metadata;
    rmSync(this.tlsPath(Name), { recursive: true, force: true });
    for (const [file, text] of Object.entries(tls)) {
      const folder = join(this.tlsPath(Name), "docker");
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, file), text, { mode: 0o600 });
    }
    const folder = this.metadataPath(Name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const temporary = join(folder, `.meta.json.${process.pid}`);
    writeFileSync(temporary, JSON.stringify(metadata), { mode: 0o644 });
    renameSync(temporary, join(folder, "meta.json"));
  }

  remove(name: string): void {
    rmSync(this.metadataPath(name), { recursive: true, force: true });
    rmSync(this.tlsPath(name), { recursive: true, force: true });
  }
}

/** Throws ExitError for a name that no context can have. */
export function checkContextName(name: string): void {
  if (name === "") throw new ExitError(1, "context name cannot be empty");
  if (name === defaultContext) throw new ExitError(1, `"${defaultContext}" is a reserved context name`);
  const pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";
  if (!new RegExp(pattern).test(name)) {
    throw new ExitError(1, `context name "${name}" is invalid, names are validated against regexp "${pattern}"`);
  }
}

/** Throws an Error for anything that is no context's metadata. */
export function parseMetadata(text: string): ContextMetadata {
  const value = JSON.parse(text) as Partial<ContextMetadata> | null;
  if (typeof value?.Name !== "string") throw new Error("invalid context metadata: it has no name");
  return { Name: value.Name, Metadata: value.Metadata ?? {}, Endpoints: value.Endpoints ?? {} };
}

function idOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}
