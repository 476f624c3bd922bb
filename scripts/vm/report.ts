/** Keeps the last result of each distribution in docs/compatibility.md. */
import { $ } from "bun";
import { join } from "node:path";
import type { Suite } from "./image.ts";
import type { Outcome } from "./machine.ts";

const page = join(import.meta.dir, "../../docs/compatibility.md");
const columns = ["kernel", "systemd", "cgroup", "apparmor", "crun", "conmon", "libnftables", "libarchive"] as const;

/** Replaces the row that begins with the suite's title, or adds it below the table's last row. */
export async function record(suite: Suite, { facts, passed, failed, minutes, accelerator }: Outcome): Promise<void> {
  const today = new Date().toISOString().slice(0, 10);
  const result = `${passed} passed, ${failed} failed (${today}, ${minutes} min, ${accelerator})`;
  const cells = [suite.title, ...columns.map((name) => facts[name] ?? "?"), result];
  const row = `| ${cells.join(" | ")} |`;
  const text = await Bun.file(page).text();
  await Bun.write(page, replaceRow(text, suite.title, row));
  await $`bun fmt ${page}`.nothrow().quiet();
}

/** The table is the one whose first column is headed `distribution`. */
function replaceRow(text: string, title: string, row: string): string {
  const lines = text.split("\n");
  const head = lines.findIndex((line) => /^\| *distribution /.test(line));
  if (head === -1) throw new Error(`${page} has no table of distributions`);
  let end = head;
  while (lines[end]?.startsWith("|")) end++;
  const own = lines.findIndex((line, index) => index > head && index < end && line.startsWith(`| ${title} `));
  if (own === -1) lines.splice(end, 0, row);
  else lines[own] = row;
  return lines.join("\n");
}
