/** Reads what may not be there, or may go while one looks: files and folders of processes, groups and users. */
import { readdirSync, readFileSync } from "node:fs";

/** The file's text; empty where it cannot be read. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** The names in a folder, in no particular order; none where it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
