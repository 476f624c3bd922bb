/** Reads Debian packages: ar archives (deb(5)) whose member `data.tar.*` holds the files. */
import { open } from "node:fs/promises";
import { EngineError } from "#lib/errors.ts";

const MAGIC = "!<arch>\n";
const HEADER = 60;

export interface DataMember {
  /** Ending of its name: "xz", "zst", "gz", or "" for none. */
  readonly compression: string;
  /** Where it lies in the file, in bytes. */
  readonly start: number;
  readonly size: number;
}

/** Finds the member `data.tar` of the package `file`. Rejects "invalid" for what is no package. */
export async function dataMember(file: string): Promise<DataMember> {
  await using input = await open(file, "r");
  const magic = Buffer.alloc(MAGIC.length);
  await input.read(magic, 0, magic.length, 0);
  if (magic.toString("latin1") !== MAGIC) throw new EngineError("invalid", `${file} is no Debian package`);
  const header = Buffer.alloc(HEADER);
  for (let at = MAGIC.length; ;) {
    const { bytesRead } = await input.read(header, 0, HEADER, at);
    if (bytesRead < HEADER) throw new EngineError("invalid", `the package ${file} has no data`);
    const name = header.toString("latin1", 0, 16).trim().replace(/\/$/, "");
    const size = Number.parseInt(header.toString("latin1", 48, 58), 10);
    if (!Number.isSafeInteger(size) || size < 0) throw new EngineError("invalid", `the package ${file} is damaged`);
    at += HEADER;
    if (name.startsWith("data.tar")) return { compression: name.slice("data.tar.".length), start: at, size };
    at += size + (size % 2);
  }
}

/** Copies that member (compressed as it is) to the new file `target`. */
export async function packageData(file: string, target: string): Promise<void> {
  const { start, size } = await dataMember(file);
  // As bytes: Bun.write of a slice copies the whole file.
  await Bun.write(
    target,
    await Bun.file(file)
      .slice(start, start + size)
      .arrayBuffer(),
  );
}
