/** Published ports as bytes for the kernel mean what they mean as text for nft. */
import { expect, test } from "bun:test";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { changeElements } from "#linux/netlink-elements.ts";
import { Netlink, NETLINK_NETFILTER } from "#linux/netlink.ts";
import { Nftables } from "#linux/nftables.ts";
import { SyscallError } from "#linux/syscall-error.ts";
import { portElements, type PortTarget, tableText } from "./firewall-table.ts";

if (inPrivateNetwork()) insideTests();
else test("ports as elements of the kernel", () => rerunInPrivateNetwork(import.meta.path));

const PORTS: readonly PortTarget[] = [
  port("tcp", "0.0.0.0", 8080, "10.1.2.3", 80),
  port("udp", "127.0.0.1", 53, "10.1.2.3", 5353),
  port("sctp", "192.0.2.255", 65535, "10.1.2.3", 256, true),
  port("tcp", "::", 8080, "fd00::1:2", 443),
  port("udp", "::1", 1, "fd00::1:2", 65535, true),
  port("tcp", "::", 0, "fd00::1:2", 258, true),
];

function insideTests(): void {
  test("are the same as in nft's words, and go again", () => {
    using nft = new Nftables();
    using netlink = Netlink.open(NETLINK_NETFILTER);
    nft.run("cannot make tables", `${tableText("bytes")}\n${tableText("words")}`);
    const elements = PORTS.flatMap(portElements);
    expect(elements).toHaveLength(8);
    const raw = elements.flatMap((element) => element.raw ?? []);
    expect(raw.map(({ set }) => set)).toEqual(elements.map(({ set }) => set));
    changeElements(netlink, "cannot add", "bytes", "add", raw);
    const words = elements.map(
      ({ set, key, value }) => `add element inet words ${set} { ${value === undefined ? key : `${key} : ${value}`} }`,
    );
    nft.run("cannot add", words.join("\n"));
    const listed = (table: string, set: string) => {
      const map = set.startsWith("published");
      const [, object] = nft.list(`${map ? "map" : "set"} inet ${table} ${set}`, { elements: true }) ?? [];
      return (object?.[map ? "map" : "set"] as { elem?: unknown[] } | undefined)?.elem ?? [];
    };
    const sets = [...new Set(elements.map(({ set }) => set))];
    expect(sets).toHaveLength(6);
    for (const set of sets) {
      expect(listed("bytes", set)).toHaveLength(elements.filter((element) => element.set === set).length);
      expect(listed("bytes", set)).toEqual(listed("words", set));
    }
    // The same once more is no error; the same port led elsewhere is, and then nothing is done.
    changeElements(netlink, "cannot add", "bytes", "add", raw);
    const other = portElements(port("tcp", "0.0.0.0", 8080, "10.1.2.4", 80)).flatMap((element) => element.raw ?? []);
    const fresh = portElements(port("tcp", "0.0.0.0", 9090, "10.1.2.4", 80)).flatMap((element) => element.raw ?? []);
    expect(() => changeElements(netlink, "cannot lead", "bytes", "add", [...fresh, ...other])).toThrow(SyscallError);
    expect(() => changeElements(netlink, "cannot end", "bytes", "delete", [...raw, ...fresh])).toThrow(
      expect.objectContaining({ kind: "not-found" }),
    );
    for (const set of sets) expect(listed("bytes", set)).toEqual(listed("words", set));
    changeElements(netlink, "cannot end", "bytes", "delete", raw);
    for (const set of sets) expect(listed("bytes", set)).toEqual([]);
  });

  test("fit into one message as many as may be asked for", () => {
    using nft = new Nftables();
    using netlink = Netlink.open(NETLINK_NETFILTER);
    nft.run("cannot make a table", tableText("many"));
    const many = Array.from({ length: 500 }, (_, i) => port("tcp", "fd00:1111:2222:3333::1", 1000 + i, "fd00::1", 80));
    changeElements(
      netlink,
      "cannot add",
      "many",
      "add",
      many.flatMap(portElements).flatMap((element) => element.raw ?? []),
    );
    const [, object] = nft.list("map inet many published_on6", { elements: true }) ?? [];
    expect(object?.["map"]).toMatchObject({ elem: expect.objectContaining({ length: 500 }) });
  });
}

function port(
  protocol: PortTarget["protocol"],
  hostAddress: string,
  hostPort: number,
  containerAddress: string,
  containerPort: number,
  open = false,
): PortTarget {
  return { protocol, hostAddress, hostPort, containerAddress, containerPort, open };
}
