/** Names the engine of one data root among all others. */
import { writeAtomically } from "#linux/files.ts";
import type { Layout } from "#store/layout.ts";
import { readText } from "./host-information.ts";

/** A UUID, made once. */
export function engineId(layout: Layout): string {
  const known = readText(layout.engineId);
  if (known !== "") return known;
  const id = crypto.randomUUID();
  writeAtomically(layout.engineId, id, 0o644);
  return id;
}
