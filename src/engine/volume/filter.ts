/** Which volumes a list or a prune means: Docker's filters. */
import { EngineError } from "#lib/errors.ts";
import { optionsOf, type VolumeRow } from "./rows.ts";

/** Values of each filter, as the wire's `filters` map. */
export type VolumeFilters = Readonly<Record<string, readonly string[]>>;

const KNOWN = { list: ["name", "label", "dangling", "driver"], prune: ["label", "label!", "all"] };
const TRUE = ["1", "true", "True", "TRUE", "t", "T"];
const FALSE = ["0", "false", "False", "FALSE", "f", "F"];

/** A prune takes unused ones only, and named ones only with `all`. Throws "invalid". */
export function selectVolumes(
  rows: readonly VolumeRow[],
  filters: VolumeFilters,
  inUse: (name: string) => boolean,
  purpose: "list" | "prune",
): VolumeRow[] {
  for (const name of Object.keys(filters)) {
    if (!KNOWN[purpose].includes(name)) throw new EngineError("invalid", `invalid filter '${name}'`);
  }
  const dangling = purpose === "prune" ? true : flag("dangling", filters);
  const all = purpose === "list" || flag("all", filters) === true;
  return rows.filter((row) => {
    const labels = JSON.parse(row.labels) as Record<string, string>;
    const has = (text: string): boolean => {
      const [key = "", ...rest] = text.split("=");
      return key in labels && (rest.length === 0 || labels[key] === rest.join("="));
    };
    if (dangling !== undefined && inUse(row.name) === dangling) return false;
    if (!all && row.anonymous === 0) return false;
    if (!(filters["label"] ?? []).every(has) || (filters["label!"] ?? []).some(has)) return false;
    const names = filters["name"] ?? [];
    if (names.length > 0 && !names.some((name) => fits(row.name, name))) return false;
    // What they mount is not ours, and nothing would come free.
    if (purpose === "prune" && isElsewhere(row)) return false;
    const drivers = filters["driver"] ?? [];
    return drivers.length === 0 || drivers.includes("local");
  });
}

/** Docker takes the value as text first and as a regular expression then. */
function fits(name: string, value: string): boolean {
  if (name.includes(value)) return true;
  try {
    return new RegExp(value).test(name);
  } catch {
    return false;
  }
}

/** Whether the volume is another file system than the data root's, or a folder of the host. */
export function isElsewhere(row: Pick<VolumeRow, "options">): boolean {
  return optionsOf(row).source !== undefined;
}

function flag(name: string, filters: VolumeFilters): boolean | undefined {
  const values = filters[name];
  if (values === undefined || values.length === 0) return undefined;
  if (values.every((value) => TRUE.includes(value))) return true;
  if (values.every((value) => FALSE.includes(value))) return false;
  throw new EngineError("invalid", `invalid filter '${name}=${values.join(",")}'`);
}
