/** The filters of image lists and of prune, with Docker's meanings and refusals. */
import type { Filters } from "#api/types/query.ts";
import { EngineError } from "#lib/errors.ts";
import { parseTime } from "#lib/time.ts";
import { parseUntil } from "#lib/time-filter.ts";
import { familiarName, parseReference } from "#oci/reference.ts";
import type { Image } from "./types.ts";

/** Throws "invalid" for a filter not in `known`: `invalid filter 'x'`. */
export function assertFilters(filters: Filters, known: readonly string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw new EngineError("invalid", `invalid filter '${name}'`);
  }
}

/** A yes-or-no filter; undefined where it is not given. Throws "invalid" for other values. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters[name] ?? [];
  if (values.length === 0) return undefined;
  const read = values.map((value) =>
    /^(1|t|true)$/i.test(value) ? true : /^(0|f|false)$/i.test(value) ? false : undefined,
  );
  const [first] = read;
  if (first === undefined || read.some((value) => value !== first)) {
    throw new EngineError("invalid", `invalid filter '${name}=[${values.join(" ")}]'`);
  }
  return first;
}

/** When the image was made, in nanoseconds since the epoch; 0 where its config does not say. */
export function createdAt(image: Image): bigint {
  return parseTime(image.config.created ?? "") ?? 0n;
}

/** `label` (all must match) and `label!` (none may), each `key` or `key=value`. */
export function labelsMatch(image: Image, filters: Filters): boolean {
  const labels = image.config.config.Labels ?? {};
  const has = (wanted: string): boolean => {
    const [key = "", ...rest] = wanted.split("=");
    if (!Object.hasOwn(labels, key)) return false;
    return rest.length === 0 || labels[key] === rest.join("=");
  };
  return (filters["label"] ?? []).every(has) && !(filters["label!"] ?? []).some(has);
}

/** `until`: made before all of the given moments. Throws "invalid" for what is no moment. */
export function olderThanFilter(filters: Filters): (image: Image) => boolean {
  const moments = (filters["until"] ?? []).map(parseUntil);
  return (image) => moments.every((moment) => createdAt(image) < moment);
}

/** `reference`: glob over `name` or `name:tag`. Throws "invalid" for a malformed pattern. */
export function referenceFilter(filters: Filters): ((reference: string) => boolean) | undefined {
  const patterns = (filters["reference"] ?? []).map(pathPattern);
  if (patterns.length === 0) return undefined;
  return (reference) => {
    const name = familiarName(parseReference(reference));
    return patterns.some((pattern) => pattern.test(reference) || pattern.test(name));
  };
}

/** Go's path.Match: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes, a backslash quotes. */
function pathPattern(glob: string): RegExp {
  let source = "";
  for (let i = 0; i < glob.length; i++) {
    const char = glob.charAt(i);
    if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = glob.indexOf("]", glob.charAt(i + 1) === "^" ? i + 3 : i + 2);
      if (end < 0) throw new EngineError("invalid", `invalid filter 'reference=[${glob}]': syntax error in pattern`);
      source += glob.slice(i, end + 1).replaceAll("\\", "\\\\");
      i = end;
    } else {
      const literal = char === "\\" ? glob.charAt(++i) : char;
      source += literal.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    }
  }
  return new RegExp(`^${source}$`);
}
