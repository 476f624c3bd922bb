/** Reads the small text files in which a control group keeps its figures. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The file's text; undefined where the kernel has no such file, or the group has gone. */
export function readGroupFile(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "latin1");
  } catch {
    return undefined;
  }
}

/** A file that holds one number; undefined where there is none, Infinity for `max`. */
export function readNumber(folder: string, name: string): number | undefined {
  const text = readGroupFile(folder, name)?.trim();
  if (text === undefined || text === "") return undefined;
  return text === "max" ? Infinity : Number(text);
}

/** Lines of `key value`; empty where there is no such file. */
export function readKeyed(folder: string, name: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of (readGroupFile(folder, name) ?? "").split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return values;
}
