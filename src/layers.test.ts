/** Holds the import table: folders import only what lies below them, by alias, without cycles and without barrels. */
import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const source = import.meta.dir;

/** What each folder may import besides itself. */
const table: Record<string, readonly string[]> = {
  lib: [],
  oci: ["lib"],
  linux: ["lib"],
  api: ["lib", "oci"],
  store: ["lib", "oci", "linux"],
  registry: ["lib", "oci", "store"],
  builder: ["lib", "oci", "store", "registry"],
  engine: ["lib", "oci", "linux", "api", "store", "registry"],
  daemon: ["lib", "oci", "linux", "api", "store", "registry", "builder", "engine"],
  compose: ["lib", "oci", "api"],
  cli: ["lib", "oci", "api", "compose"],
  web: ["api"],
};

/** What main may reach: each part's entry, loaded only when its verb is asked for. */
const entries = ["daemon", "registry", "linux", "cli"];

interface Import {
  /** Both relative to src. `to` is null for packages and built-in modules. */
  readonly from: string;
  readonly to: string | null;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

// Type-only imports vanish at run time but bind the folders all the same, so the text is read and not the bundle.
const statement =
  /^\s*(?:import|export)\s+(?<type>type\s)?(?:[\w*{][^;"']*?\sfrom\s+)?["'](?<static>[^"']+)["']|\bimport\(\s*["'](?<dynamic>[^"']+)["']\s*\)/gm;

async function readImports(): Promise<Import[]> {
  const imports: Import[] = [];
  for await (const from of new Bun.Glob("**/*.{ts,tsx}").scan(source)) {
    if (from === "layers.test.ts") continue;
    const text = await Bun.file(join(source, from)).text();
    for (const { groups } of text.matchAll(statement)) {
      const specifier = groups?.["static"] ?? groups?.["dynamic"] ?? "";
      imports.push({ from, to: target(from, specifier), specifier, typeOnly: groups?.["type"] !== undefined });
    }
  }
  return imports;
}

function target(from: string, specifier: string): string | null {
  if (specifier.startsWith("#")) return specifier.slice(1);
  if (specifier.startsWith(".")) return relative(source, join(source, dirname(from), specifier));
  return null;
}

/** The folder of src that a file lies in; main.ts itself is "main". */
function layer(file: string): string {
  const [first = "", ...rest] = file.split("/");
  return rest.length === 0 ? first.replace(/\.ts$/, "") : first;
}

const imports = await readImports();
const inside = imports.filter((one): one is Import & { to: string } => one.to !== null);
const describe = (one: Import) => `${one.from} imports ${one.specifier}`;

test("every folder is in the table", () => {
  const folders = new Set(inside.map((one) => layer(one.from)).filter((name) => name !== "main"));
  expect([...folders].filter((name) => !(name in table))).toEqual([]);
});

test("imports point downward only", () => {
  const wrong = inside.filter(({ from, to }) => {
    const upper = layer(from);
    const lower = layer(to);
    if (upper === lower) return false;
    return !(upper === "main" ? entries : (table[upper] ?? [])).includes(lower);
  });
  expect(wrong.map(describe)).toEqual([]);
});

test("other folders are named by alias, the own one by a relative path", () => {
  const wrong = inside.filter(({ from, to, specifier }) => {
    const same = layer(from) === layer(to) && dirname(from) === dirname(to);
    if (layer(from) === layer(to)) return same && specifier.startsWith("#");
    return layer(from) !== "main" && !specifier.startsWith("#");
  });
  expect(wrong.map(describe)).toEqual([]);
});

test("imports name the file, with its ending", () => {
  expect(inside.filter(({ to }) => !/\.(tsx?|json|css|html)$/.test(to)).map(describe)).toEqual([]);
});

test("nothing is exported from a file that does not declare it", async () => {
  const barrels: string[] = [];
  for await (const file of new Bun.Glob("**/*.{ts,tsx}").scan(source)) {
    const text = await Bun.file(join(source, file)).text();
    if (/^export\s+(type\s+)?(\*|\{[^}]*\})\s*(as\s+\w+\s+)?from\s/m.test(text)) barrels.push(file);
  }
  expect(barrels).toEqual([]);
});

test("only linux opens shared libraries", async () => {
  const openers = imports.filter(({ from, specifier }) => specifier === "bun:ffi" && layer(from) !== "linux");
  expect(openers.map(describe)).toEqual([]);
});

test("no file imports itself through others", () => {
  const edges = Map.groupBy(
    inside.filter((one) => !one.typeOnly),
    (one) => one.from,
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      return;
    }
    if (done.has(file)) return;
    for (const edge of edges.get(file) ?? []) visit(edge.to, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  expect(cycles).toEqual([]);
});
