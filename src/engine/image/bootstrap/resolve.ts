/** Chooses the packages of a minimal system: what every system has, what is wished for, and what these depend on. */
import { EngineError } from "#lib/errors.ts";
import type { Package, PackageIndex, Relation } from "./packages.ts";
import { compareVersions } from "./version.ts";

/**
 * The wished-for packages with all that they need, dependencies first. Where a dependency names alternatives, one that
 * is chosen anyway is taken, else the first that the suite has. Throws "invalid" for what the suite cannot fulfil.
 */
export function withDependencies<Archive>(
  index: PackageIndex<Archive>,
  names: readonly string[],
  already: readonly Package<Archive>[] = [],
): Package<Archive>[] {
  const chosen = new Map(already.map((item) => [item.name, item]));
  const wanted = names.map((name) => {
    const found = index.find(name);
    if (found === undefined) throw new EngineError("invalid", `the suite has no package ${name}`);
    chosen.set(name, found);
    return found;
  });
  const fulfilled = (relation: Relation): boolean => [...chosen.values()].some((item) => fulfils(item, relation));
  for (const item of wanted) {
    for (const group of item.depends) {
      if (group.some(fulfilled)) continue;
      const found = choose(index, group);
      if (found === undefined) {
        const words = group.map(({ name, operator, version }) => `${name} ${operator} ${version}`.trim()).join(" | ");
        throw new EngineError("invalid", `the suite has nothing for ${words}, which ${item.name} depends on`);
      }
      chosen.set(found.name, found);
      wanted.push(found); // the loop comes to it
    }
  }
  return ordered(wanted, chosen);
}

function choose<Archive>(index: PackageIndex<Archive>, group: readonly Relation[]): Package<Archive> | undefined {
  for (const relation of group) {
    const real = index.find(relation.name);
    if (real !== undefined && fulfils(real, relation)) return real;
    const provider = index.providers(relation.name).find((item) => fulfils(item, relation));
    if (provider !== undefined) return provider;
  }
  return undefined;
}

function fulfils(item: Package<unknown>, relation: Relation): boolean {
  if (item.name === relation.name && inRange(item.version, relation)) return true;
  return item.provides.some(
    (provided) =>
      provided.name === relation.name &&
      (relation.operator === "" || (provided.operator === "=" && inRange(provided.version, relation))),
  );
}

function inRange(version: string, { operator, version: limit }: Relation): boolean {
  const order = operator === "" ? 0 : compareVersions(version, limit);
  switch (operator) {
    case "<<":
      return order < 0;
    case ">>":
      return order > 0;
    case "<=":
      return order <= 0;
    case ">=":
      return order >= 0;
    default:
      return order === 0;
  }
}

/** Dependencies before what depends on them, as far as there is no loop; the same order for the same packages. */
function ordered<Archive>(
  packages: readonly Package<Archive>[],
  chosen: ReadonlyMap<string, Package<Archive>>,
): Package<Archive>[] {
  const mine = new Set(packages);
  const seen = new Set<Package<Archive>>();
  const sorted: Package<Archive>[] = [];
  const visit = (item: Package<Archive>): void => {
    if (seen.has(item) || !mine.has(item)) return;
    seen.add(item);
    for (const { name } of item.depends.flat()) {
      const needed = chosen.get(name);
      if (needed !== undefined) visit(needed);
    }
    sorted.push(item);
  };
  for (const item of [...mine].toSorted((a, b) => (a.name < b.name ? -1 : 1))) visit(item);
  return sorted;
}
