import { expect, test } from "bun:test";
import { inPrivateNetwork, rerunInPrivateNetwork } from "./namespace-testing.ts";
import { Nftables, NftablesError } from "./nftables.ts";

if (inPrivateNetwork()) insideTests();
else test("nftables with a real kernel", () => rerunInPrivateNetwork(import.meta.path), 60_000);

const names = (nft: Nftables) =>
  (nft.list("tables") ?? []).flatMap(({ table }) => (table === undefined ? [] : [table]));

function insideTests(): void {
  test("a script is one transaction: all or nothing", () => {
    using nft = new Nftables();
    nft.run("cannot make it", "add table ip one\nadd set ip one ports { type inet_service; }");
    expect(names(nft)).toEqual([expect.objectContaining({ family: "ip", name: "one" })]);
    const script = "add element ip one ports { 80 }\nadd element ip absent ports { 81 }";
    expect(() => nft.run("cannot add ports", script)).toThrow(NftablesError);
    expect(JSON.stringify(nft.list("set ip one ports", { elements: true }))).not.toContain("80");
    nft.run("cannot remove it", "delete table ip one");
    expect(names(nft)).toEqual([]);
  });

  test("a listing has handles, elements where asked, and is undefined for what is not there", () => {
    using nft = new Nftables();
    nft.run(
      "cannot make it",
      "table ip two { set ports { type inet_service; elements = { 80, 443 }; }; chain c { tcp dport @ports accept; }; }",
    );
    const objects = nft.list("table ip two") ?? [];
    const rule = objects.find((one) => one["rule"] !== undefined)?.["rule"];
    expect(rule).toMatchObject({ chain: "c", handle: expect.any(Number) });
    const elements = (list: typeof objects) =>
      list.flatMap(({ set }) => (set as { elem?: number[] } | undefined)?.elem ?? []);
    expect(elements(objects)).toEqual([]);
    expect(new Set(elements(nft.list("table ip two", { elements: true }) ?? []))).toEqual(new Set([80, 443]));
    expect(nft.list("table ip absent")).toBeUndefined();
    expect(nft.list("chain ip two absent")).toBeUndefined();
    nft.run("cannot remove it", "delete table ip two");
  });

  test("an error says what was wrong, keeps the script and leaves the context usable", () => {
    using nft = new Nftables();
    const attempt = (script: string) => {
      try {
        nft.run("cannot do it", script);
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(attempt("add nonsense")).toMatchObject({
      kind: "internal",
      script: "add nonsense",
      message: expect.stringMatching(/^cannot do it: nftables: syntax error/),
    });
    expect(attempt("delete table ip absent")).toMatchObject({
      message: expect.stringMatching(/^cannot do it: nftables: .*No such file or directory/),
    });
    expect(() => nft.list("nonsense")).toThrow("cannot read the firewall");
    expect(attempt("add table ip three\ndelete table ip three")).toBeUndefined();
  });
}
