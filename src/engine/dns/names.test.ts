import { describe, expect, test } from "bun:test";
import { TYPE_A, TYPE_AAAA, TYPE_ANY, TYPE_PTR } from "./message.ts";
import { NameTables } from "./names.ts";
import type { NamedEndpoint, NamedSandbox } from "./protocol.ts";

const TYPE_MX = 15;

function endpoint(network: string, last: number, names: string[], more: Partial<NamedEndpoint> = {}): NamedEndpoint {
  return { network: `id-${network}`, networkName: network, names, ipv4: Uint8Array.of(10, 0, 0, last), ...more };
}

function sandbox(id: string, ...endpoints: NamedEndpoint[]): NamedSandbox {
  return { id, namespace: "", external: true, ndots: false, endpoints };
}

function tables(...sandboxes: NamedSandbox[]): NameTables {
  const all = new NameTables();
  for (const one of sandboxes) all.put(one);
  return all;
}

/** Last bytes of the addresses, in the order in which they are told; undefined for a name that is not known. */
function look(all: NameTables, from: string, name: string, type = TYPE_A): number[] | undefined {
  const found = all.resolve(from, name, type);
  if (found === undefined) return undefined;
  const { records, first } = found;
  return records.map((_, i) => records[(first + i) % records.length]!.data.at(-1)!);
}

describe("names", () => {
  const web = sandbox("web", endpoint("front", 1, ["web", "www"]));
  const db = sandbox("db", endpoint("back", 2, ["db", "Store.One"]));
  const app = sandbox("app", endpoint("front", 3, ["app"]), endpoint("back", 4, ["app", "app-in.back"]));

  test("are those of the networks that the asker is in", () => {
    const all = tables(web, db, app);
    expect(look(all, "web", "app")).toEqual([3]);
    expect(look(all, "web", "www")).toEqual([1]);
    expect(look(all, "web", "db")).toBeUndefined();
    expect(look(all, "app", "db")).toEqual([2]);
    expect(look(all, "nobody", "db")).toBeUndefined();
  });

  test("may name their network, and may hold dots as it may", () => {
    const all = tables(web, db, app);
    expect(look(all, "web", "app.front")).toEqual([3]);
    expect(look(all, "web", "app.back")).toBeUndefined();
    expect(look(all, "db", "app.back")).toEqual([4]);
    expect(look(all, "app", "app.back")).toEqual([4]);
    expect(look(all, "app", "store.one")).toEqual([2]);
    expect(look(all, "app", "store.one.back")).toEqual([2]);
    expect(look(all, "db", "app-in.back.back")).toEqual([4]);
    const dotted = tables(sandbox("a", endpoint("my.net", 7, ["a"])));
    expect(look(dotted, "a", "a.my.net")).toEqual([7]);
  });

  test("that are known without an address of the type have no answer and are not unknown", () => {
    const all = tables(web, sandbox("six", endpoint("front", 9, ["six"], { ipv6: new Uint8Array(16).fill(6) })));
    expect(look(all, "web", "web", TYPE_AAAA)).toEqual([]);
    expect(look(all, "web", "web", TYPE_MX)).toEqual([]);
    expect(look(all, "web", "six", TYPE_AAAA)).toEqual([6]);
    expect(look(all, "web", "six", TYPE_ANY)).toEqual([9, 6]);
  });

  test("of several containers are told in turn, each first as often as the others", () => {
    const all = tables(...[1, 2, 3].map((n) => sandbox(`c${n}`, endpoint("n", n, [`c${n}`, "all"]))));
    const told = [1, 2, 3, 4].map(() => look(all, "c1", "all"));
    expect(told).toEqual([
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
      [1, 2, 3],
    ]);
    all.remove("c2");
    expect(look(all, "c1", "all")).toEqual([1, 3]);
  });

  test("that a link gives are the asker's only, and count before names", () => {
    const linked = sandbox("linked", endpoint("front", 5, ["linked"], { links: { store: "web", app: "web" } }));
    const all = tables(web, app, linked);
    expect(look(all, "linked", "store")).toEqual([1]);
    expect(look(all, "linked", "store.front")).toEqual([1]);
    expect(look(all, "linked", "app")).toEqual([1]);
    expect(look(all, "web", "store")).toBeUndefined();
  });

  test("are found by address, with the network", () => {
    const all = tables(
      web,
      app,
      sandbox("six", endpoint("front", 9, ["six"], { ipv6: new Uint8Array(16).fill(0x2a) })),
    );
    const name = (zone: string) => {
      const data = all.resolve("web", zone, TYPE_PTR)?.records[0]?.data;
      return data === undefined ? undefined : new TextDecoder().decode(data);
    };
    expect(name("3.0.0.10.in-addr.arpa")).toBe("\u0003app\u0005front\u0000");
    expect(name(`${"a.2.".repeat(16)}ip6.arpa`)).toBe("\u0003six\u0005front\u0000");
    expect(name("4.0.0.10.in-addr.arpa")).toBeUndefined();
  });

  test("follow changes: what is put again takes the place of what was", () => {
    const all = tables(web, app);
    all.put(sandbox("web", endpoint("front", 8, ["site"])));
    expect(look(all, "app", "web")).toBeUndefined();
    expect(look(all, "app", "site")).toEqual([8]);
    all.remove("web");
    expect(look(all, "app", "site")).toBeUndefined();
  });
});
