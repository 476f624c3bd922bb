import { expect, test } from "bun:test";
import { PackageIndex, parseRelations } from "./packages.ts";
import { withDependencies } from "./resolve.ts";

const digest = "0".repeat(64);

function stanza(name: string, version: string, ...more: string[]): string {
  const fields = [`Package: ${name}`, `Version: ${version}`, `Filename: pool/${name}_${version}.deb`, "Size: 10"];
  return [...fields, `SHA256: ${digest}`, ...more, ""].join("\n");
}

function indexOf(...lists: string[][]): PackageIndex<number> {
  return new PackageIndex(lists.map((list, archive) => ({ text: Buffer.from(`${list.join("\n")}\n`), archive })));
}

test("the newest version of all lists counts, and tells where it is from", () => {
  const index = indexOf([stanza("a", "1.0-1"), stanza("b", "2")], [stanza("a", "1.0-1+deb12u1")]);
  expect(index.find("a")).toMatchObject({ version: "1.0-1+deb12u1", archive: 1, size: 10, sha256: digest });
  expect(index.find("b")).toMatchObject({ version: "2", archive: 0 });
  expect(index.find("c")).toBeUndefined();
});

test("relations are read with versions, architectures and alternatives", () => {
  expect(parseRelations("a (>= 1.2~), b:any | c (<< 3)")).toEqual([
    [{ name: "a", operator: ">=", version: "1.2~" }],
    [
      { name: "b", operator: "", version: "" },
      { name: "c", operator: "<<", version: "3" },
    ],
  ]);
});

test("a minimal system is what is essential or required, with all that it needs", () => {
  const index = indexOf([
    stanza("base", "1", "Essential: yes", "Pre-Depends: libc (>= 2)", "Depends: awk, merge-tool | is-merged"),
    stanza("libc", "2.5"),
    stanza("gawk", "5", "Provides: awk"),
    stanza("mawk", "1", "Priority: required", "Provides: awk", "Depends: libc"),
    stanza("merge-tool", "1"),
    stanza("is-merged", "1", "Description: says\n so\nPriority: required"),
    stanza("editor", "1", "Depends: libc"),
  ]);
  expect(index.base()).toEqual(["base", "is-merged", "mawk"]);
  const chosen = withDependencies(index, index.base()).map(({ name }) => name);
  // Alternatives that are there anyway are taken, dependencies come first.
  expect(chosen).toEqual(["libc", "is-merged", "base", "mawk"]);
  const already = withDependencies(index, index.base());
  expect(withDependencies(index, ["editor"], already).map(({ name }) => name)).toEqual(["editor"]);
});

test("versions decide between alternatives and providers", () => {
  const index = indexOf([
    stanza("app", "1", "Depends: old (>= 2) | new, virtual (= 3)"),
    stanza("old", "1"),
    stanza("new", "1"),
    stanza("plain", "1", "Provides: virtual"),
    stanza("versioned", "1", "Provides: virtual (= 3)"),
  ]);
  const chosen = withDependencies(index, ["app"]).map(({ name }) => name);
  expect(chosen.toSorted()).toEqual(["app", "new", "versioned"]);
});

test("what the suite cannot fulfil is named", () => {
  const index = indexOf([stanza("app", "1", "Depends: missing (>= 2) | gone")]);
  expect(() => withDependencies(index, ["app"])).toThrow("nothing for missing >= 2 | gone, which app depends on");
  expect(() => withDependencies(index, ["none"])).toThrow("the suite has no package none");
});
