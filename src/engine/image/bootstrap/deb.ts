/** Reads Debian packages: ar archives (deb(5)) whose member `data.tar.*` holds the files. */
import { open } from "node:fs/promises";
import { EngineError } from "#lib/errors.ts";

const MAGIC = "!<arch>\n";
const HEADER = 60;

/** Copies the member `data.tar` (compressed as it is) of the package `file` to the new file `target`. */
export async function packageData(file: string, target: string): Promise<void> {
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
    if (name.startsWith("data.tar")) {
      // As bytes: Bun.write of a slice copies the whole file.
      await Bun.write(
        target,
        await Bun.file(file)
          .slice(at, at + size)
          .arrayBuffer(),
      );
      return;
    }
    at += size + (size % 2);
  }
}
