/** Makes the requests of the walk: each endpoint's valid one, and that one with one thing wrong or unusual at a time. */
import { type Base, bases, type SubjectKind } from "./bases.ts";
import {
  type Endpoint,
  endpoints,
  isList,
  isMap,
  nameOf,
  type ParameterType,
  resolve,
  type Shape,
} from "./reference.ts";

export interface WalkRequest {
  readonly endpoint: Endpoint;
  /** What is different from the endpoint's valid request. */
  readonly title: string;
  /** In the path, instead of the subject's name. */
  readonly name?: string;
  readonly subject?: SubjectKind;
  readonly fresh: boolean;
  readonly query: string;
  /** Text as it is sent; undefined sends none. */
  readonly body?: string;
  readonly contentType?: string;
  readonly archive?: "files" | "image";
  /** The endpoint's own request, which must succeed. */
  readonly valid: boolean;
  /** Something other than a success. */
  readonly refused?: number;
  /** `1.50` unless said otherwise; empty for a path without one. */
  readonly version?: string;
}

/** Of all endpoints, in the reference's order. */
export function allRequests(): WalkRequest[] {
  return endpoints.flatMap((endpoint) => {
    const base = bases[nameOf(endpoint)];
    if (base === undefined) throw new Error(`there is no request for ${nameOf(endpoint)}`);
    return requestsOf(endpoint, base);
  });
}

function requestsOf(endpoint: Endpoint, base: Base): WalkRequest[] {
  const make = (title: string, changes: Partial<WalkRequest> = {}): WalkRequest => ({
    endpoint,
    title,
    ...(base.subject !== undefined && { subject: base.subject }),
    ...(base.archive !== undefined && { archive: base.archive }),
    fresh: base.fresh === true,
    query: encode(base.query ?? {}),
    ...(base.body !== undefined && { body: JSON.stringify(base.body), contentType: "application/json" }),
    valid: false,
    ...changes,
  });
  const refused = base.refused === undefined ? {} : { refused: base.refused };
  return [
    make("valid", { valid: base.refused === undefined, ...refused }),
    make("without a version", { version: "", ...refused }),
    ...(endpoint.path.includes("{") ? [make("unknown name", { name: "walk-nobody", fresh: false })] : []),
    make("unknown query parameter", { query: encode({ ...base.query, walked: "1" }), ...refused }),
    ...queryVariations(endpoint, base).map(([title, query]) => make(title, { query: encode(query) })),
    ...(endpoint.body === undefined || base.archive !== undefined ? [] : bodyVariations(endpoint.body, base)).map(
      ([title, body, contentType]) => make(title, { body, contentType }),
    ),
  ];
}

const wrongValues: Readonly<Record<ParameterType, readonly string[]>> = {
  boolean: ["1", "true", "false", "no", "banana", ""],
  number: ["walk", "-1", "1.5", "99999999999999999999", ""],
  string: ["", "walk/bad name!", "\u0000"],
  list: ["walk/bad name!", ""],
  filters: ["{", "[]", '"a"', '{"walk":["x"]}', '{"label":"x"}', '{"label":{"a=b":true}}', '{"label":["a=b"]}', "null"],
};

function queryVariations(endpoint: Endpoint, base: Base): [string, Record<string, string>][] {
  const varied: [string, Record<string, string>][] = [];
  for (const [name, type] of Object.entries(endpoint.query)) {
    if (base.fixed?.includes(name)) continue;
    const { [name]: given, ...others } = base.query ?? {};
    if (given !== undefined && !endpoint.path.endsWith("/prune")) varied.push([`without ${name}`, others]);
    for (const value of wrongValues[type]) {
      // A prune by a filter that says nothing would take away what the walk needs.
      if (endpoint.path.endsWith("/prune") && (value === "null" || value.includes("a=b"))) continue;
      varied.push([`${name}=${JSON.stringify(value).slice(1, -1)}`, { ...others, [name]: value }]);
    }
  }
  return varied;
}

function bodyVariations(shape: Shape, base: Base): [title: string, body: string, contentType: string][] {
  const json = "application/json";
  const sound = JSON.stringify(base.body ?? {});
  const fixed: [string, string, string][] = [
    ["no body", "", json],
    ["body null", "null", json],
    ["body []", "[]", json],
    ["body text", '"walk"', json],
    ["body cut off", sound.slice(0, -1), json],
    ["body followed by more", `${sound}{}`, json],
    ["body as text/plain", sound, "text/plain"],
    ["body with charset", sound, "application/json; charset=utf-8"],
    ["unknown body field", JSON.stringify({ ...(base.body as object), Walked: 1 }), json],
    ["all body fields null", JSON.stringify({ ...nulls(shape), ...(base.body as object) }), json],
    ["all body fields empty", JSON.stringify({ ...empties(shape), ...(base.body as object) }), json],
  ];
  const wrong = wrongBodies(shape).map(([path, value]): [string, string, string] => [
    `${path.join(".")} of a wrong type`,
    JSON.stringify(merge(base.body ?? {}, path, value)),
    json,
  ]);
  return [...fixed, ...wrong];
}

function fieldsOf(shape: Shape): [string, Shape][] {
  const resolved = resolve(shape);
  return typeof resolved !== "object" || isList(resolved) || isMap(resolved) ? [] : Object.entries(resolved);
}

function nulls(shape: Shape): object {
  return Object.fromEntries(fieldsOf(shape).map(([field]) => [field, null]));
}

function empties(shape: Shape): object {
  return Object.fromEntries(fieldsOf(shape).map(([field, inner]) => [field, emptyOf(inner)]));
}

function emptyOf(shape: Shape): unknown {
  const resolved = resolve(shape);
  if (resolved === "string") return "";
  if (resolved === "boolean") return false;
  if (resolved === "number") return 0;
  if (isList(resolved)) return [];
  return {};
}

/** A path into the body for every field, and a value there that cannot be. */
function wrongBodies(shape: Shape): [path: string[], value: unknown][] {
  const resolved = resolve(shape);
  if (resolved === "any") return [];
  if (resolved === "string") return [[[], 7]];
  if (typeof resolved === "string") return [[[], "walk"]];
  if (isList(resolved)) return [[[], "walk"] as [string[], unknown], ...below("0", resolved[0])];
  if (isMap(resolved)) return [[[], "walk"] as [string[], unknown], ...below("walk", resolved["*"])];
  return fieldsOf(resolved).flatMap(([field, inner]) => [
    ...below(field, inner),
    // An object in its own right may also be something else as a whole.
    ...(fieldsOf(inner).length > 0 ? [[[field], 7] as [string[], unknown]] : []),
  ]);
}

function below(step: string, shape: Shape): [path: string[], value: unknown][] {
  return wrongBodies(shape).map(([path, value]) => [[step, ...path], value]);
}

/** `value` at `path` of a copy of `into`; numbers in the path make lists. */
function merge(into: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (step === "0") return [merge(undefined, rest, value)];
  const object = typeof into === "object" && into !== null ? (into as Record<string, unknown>) : {};
  return { ...object, [step]: merge(object[step], rest, value) };
}

function encode(query: Readonly<Record<string, string>>): string {
  return new URLSearchParams(query).toString();
}
