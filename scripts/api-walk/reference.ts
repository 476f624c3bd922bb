/** The Engine API of version 1.50 as a table of facts: endpoints, parameters, and the fields of bodies and answers. */
import table from "./reference.json";

/** `string`, `number`, `boolean`, `any`, `bytes`, `@Name` of another; a list of one; fields; or `*` for a map's values. */
export type Shape = string | readonly Shape[] | { readonly [field: string]: Shape };
export type ParameterType = "string" | "number" | "boolean" | "list" | "filters";

export interface Endpoint {
  readonly method: string;
  /** With at most one `{name}`. */
  readonly path: string;
  readonly query: Readonly<Record<string, ParameterType>>;
  readonly body?: Shape;
  /** What a success answers, where it is JSON. */
  readonly answer?: Shape;
  /** Statuses that the reference names, 500 aside. */
  readonly status: readonly number[];
}

interface Reference {
  readonly endpoints: readonly Endpoint[];
  readonly shapes: Readonly<Record<string, Shape>>;
}

const { endpoints, shapes } = table as unknown as Reference;
export { endpoints };

export function nameOf({ method, path }: Pick<Endpoint, "method" | "path">): string {
  return `${method} ${path}`;
}

/** Follows names of shapes. Throws for one that the table lacks. */
export function resolve(shape: Shape): Exclude<Shape, `@${string}`> {
  if (typeof shape !== "string" || !shape.startsWith("@")) return shape;
  const found = shapes[shape.slice(1)];
  if (found === undefined) throw new Error(`the reference has no ${shape}`);
  return resolve(found);
}

export function isMap(shape: Shape): shape is { readonly "*": Shape } {
  return typeof shape === "object" && !Array.isArray(shape) && "*" in shape;
}

export function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
