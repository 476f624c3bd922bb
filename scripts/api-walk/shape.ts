/** Compares JSON with the reference, and the JSON of two daemons with each other. */
import { isList, isMap, resolve, type Shape } from "./reference.ts";

/** One line for each field that has another type than the reference says, or that it does not know. `null` fits all. */
export function strayFields(value: unknown, shape: Shape, path = ""): string[] {
  const wanted = resolve(shape);
  if (value === null || wanted === "any") return [];
  if (typeof wanted === "string") {
    return typeof value === wanted ? [] : [`${path || "."} is ${kindOf(value)}, not ${wanted}`];
  }
  if (isList(wanted)) {
    if (!Array.isArray(value)) return [`${path || "."} is ${kindOf(value)}, not a list`];
    return unique(value.flatMap((item) => strayFields(item, wanted[0], `${path}[]`)));
  }
  if (typeof value !== "object" || Array.isArray(value)) return [`${path || "."} is ${kindOf(value)}, not an object`];
  return unique(
    Object.entries(value).flatMap(([field, inner]) => {
      const known = isMap(wanted) ? wanted["*"] : (wanted as Record<string, Shape>)[field];
      const where = isMap(wanted) ? `${path}.*` : `${path}.${field}`;
      return known === undefined ? [`${where} is not in the reference`] : strayFields(inner, known, where);
    }),
  );
}

/** One line for each field of the reference that an object lacks. */
export function absentFields(value: unknown, shape: Shape, path = ""): string[] {
  const wanted = resolve(shape);
  if (value === null || typeof value !== "object" || typeof wanted === "string") return [];
  if (isList(wanted)) {
    return Array.isArray(value) ? unique(value.flatMap((item) => absentFields(item, wanted[0], `${path}[]`))) : [];
  }
  if (isMap(wanted))
    return unique(Object.values(value).flatMap((item) => absentFields(item, wanted["*"], `${path}.*`)));
  return Object.entries(wanted).flatMap(([field, inner]) =>
    field in value
      ? absentFields((value as Record<string, unknown>)[field], inner, `${path}.${field}`)
      : [`${path}.${field}`],
  );
}

/** One line for each place where two answers have other fields or types. `shape` tells maps from objects. */
export function differingShape(ours: unknown, theirs: unknown, shape: Shape | undefined, path = ""): string[] {
  const wanted = shape === undefined ? "any" : resolve(shape);
  const [left, right] = [kindOf(ours), kindOf(theirs)];
  if (left !== right) return [`${path || "."}: ${left}, Docker ${right}`];
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    if (ours.length === 0 || theirs.length === 0) return [];
    return differingShape(ours[0], theirs[0], isList(wanted) ? wanted[0] : undefined, `${path}[]`);
  }
  if (left !== "object") return [];
  const [a, b] = [ours as Record<string, unknown>, theirs as Record<string, unknown>];
  if (isMap(wanted)) {
    const [mine, other] = [Object.values(a)[0], Object.values(b)[0]];
    return mine === undefined || other === undefined ? [] : differingShape(mine, other, wanted["*"], `${path}.*`);
  }
  return unique([
    ...Object.keys(a)
      .filter((field) => !(field in b))
      .map((field) => `${path}.${field}: not in Docker's`),
    ...Object.keys(b)
      .filter((field) => !(field in a))
      .map((field) => `${path}.${field}: only in Docker's`),
    ...Object.keys(a)
      .filter((field) => field in b)
      .flatMap((field) =>
        differingShape(a[field], b[field], (wanted as Record<string, Shape>)[field], `${path}.${field}`),
      ),
  ]);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "list" : typeof value;
}

function unique(lines: readonly string[]): string[] {
  return [...new Set(lines)];
}
