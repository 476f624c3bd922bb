/** Ids that the host's administrator set aside for user namespaces: /etc/subuid and /etc/subgid (subuid(5)). */
import { readFileSync } from "node:fs";

export interface Span {
  readonly start: number;
  readonly size: number;
}

/** The files, or others in tests. */
export interface SubordinateFiles {
  readonly subuid: string;
  readonly subgid: string;
  readonly passwd: string;
  readonly group: string;
}

export const hostFiles: SubordinateFiles = {
  subuid: "/etc/subuid",
  subgid: "/etc/subgid",
  passwd: "/etc/passwd",
  group: "/etc/group",
};

/** What `file` gives to `owner`, in its order. The owner is a name or a number, and so are the lines. */
export function subordinateSpans(file: string, owner: string, accounts: string): Span[] {
  const names = new Set([owner]);
  for (const [name = "", , id = ""] of rows(accounts)) {
    if (name === owner) names.add(id);
    if (id === owner) names.add(name);
  }
  return rows(file)
    .filter(([name = ""]) => names.has(name))
    .map(([, start, size]) => ({ start: Number(start), size: Number(size) }))
    .filter(({ start, size }) => Number.isSafeInteger(start) && Number.isSafeInteger(size) && size > 0);
}

/** None where there is no such file. */
function rows(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
