import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { addressBytes, addressOf, formatAddress, formatPrefix, prefixOf } from "#lib/ip.ts";
import { closeFd, openPath } from "./descriptor.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "./namespace-testing.ts";
import {
  changeLink,
  changePort,
  createBridge,
  createVeth,
  deleteLink,
  findLink,
  type Link,
  linkCounters,
  listLinks,
} from "./netlink-link.ts";
import { forgetFlows, nftablesGeneration } from "./netlink-netfilter.ts";
import {
  addAddress,
  addDefaultRoute,
  deleteAddress,
  deleteDefaultRoute,
  deleteNeighbour,
  listAddresses,
  listNeighbours,
  listRoutes,
  MAIN_TABLE,
  setNeighbour,
} from "./netlink-route.ts";
import { Netlink, NETLINK_NETFILTER, NETLINK_ROUTE } from "./netlink.ts";
import { Nftables } from "./nftables.ts";
import { EEXIST, ENODEV, ESRCH, SyscallError } from "./syscall-error.ts";

if (inPrivateNetwork()) insideTests();
else test("netlink with a real kernel", () => rerunInPrivateNetwork(import.meta.path), 60_000);

function failure(work: () => void): SyscallError {
  try {
    work();
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

function insideTests(): void {
  const netlink = Netlink.open(NETLINK_ROUTE);
  const link = (name: string): Link => {
    const found = findLink(netlink, name);
    if (found === undefined) throw new Error(`no link ${name}`);
    return found;
  };
  beforeAll(() => netlink.execute(changeLink("lo", { up: true })));
  afterAll(() => netlink.close());

  test("a bridge has the MAC address and MTU that it was given, and changes", () => {
    netlink.execute(createBridge({ name: "nl0", mac: "02:42:0a:63:00:01", mtu: 1400, ageingSeconds: 60 }));
    expect(link("nl0")).toMatchObject({ kind: "bridge", mac: "02:42:0a:63:00:01", mtu: 1400, up: false, master: 0 });
    netlink.execute(changeLink("nl0", { mtu: 1300, mac: "02:42:0a:63:00:02" }), changeLink("nl0", { up: true }));
    expect(link("nl0")).toMatchObject({ mac: "02:42:0a:63:00:02", mtu: 1300, up: true });
    netlink.execute(changeLink("nl0", { up: false }), changeLink(link("nl0").index, { name: "nl1" }));
    expect(findLink(netlink, "nl0")).toBeUndefined();
    netlink.execute(changeLink("nl1", { up: true }));
  });

  test("a veth pair spans two namespaces, joins the bridge and counts", () => {
    const own = openPath("/proc/self/ns/net", 0);
    const { index: master } = link("nl1");
    netlink.execute(createVeth({ name: "vh0", master }, { name: "vp0", mac: "02:00:00:00:00:09", namespace: own }));
    closeFd(own);
    expect(link("vh0")).toMatchObject({ kind: "veth", up: true, master });
    expect(link("vp0")).toMatchObject({ kind: "veth", up: false, mac: "02:00:00:00:00:09" });
    expect(listLinks(netlink, { master }).map(({ name }) => name)).toEqual(["vh0"]);
    expect(listLinks(netlink).map(({ name }) => name)).toEqual(expect.arrayContaining(["lo", "nl1", "vh0", "vp0"]));
    netlink.execute(changePort(link("vh0").index, { hairpin: true, isolated: true }));
    netlink.execute(changeLink("vp0", { up: true }));
    expect(linkCounters(netlink, "vh0")).toMatchObject({ rxErrors: 0, txErrors: 0 });
    expect(linkCounters(netlink, "absent")).toBeUndefined();
    netlink.execute(changeLink("vh0", { master: 0 }));
    expect(link("vh0").master).toBe(0);
    netlink.execute(deleteLink("vh0"));
    expect(findLink(netlink, "vp0")).toBeUndefined();
  });

  test.each([
    ["IPv4", 4, "10.99.0.1/24", "10.98.0.1/32", "127.0.0.1"],
    ["IPv6", 6, "fd99::1/64", "fd98::1/128", "::1"],
  ] as const)("addresses of %s come and go, also twice", (_, family, gateway, other, loopback) => {
    const { index } = link("nl1");
    netlink.execute(...[gateway, gateway, other].map((text) => addAddress(index, prefixOf(text))));
    const shown = () =>
      listAddresses(netlink, family, index)
        .map(formatPrefix)
        .filter((text) => !text.startsWith("fe80"));
    expect(shown().toSorted()).toEqual([other, gateway].toSorted());
    expect(listAddresses(netlink, family).map(formatAddress)).toContain(loopback);
    netlink.execute(deleteAddress(index, prefixOf(other)));
    expect(shown()).toEqual([gateway]);
  });

  test("an address of IPv6 is there at once, unasked", () => {
    const flags = (text: string) =>
      readFileSync("/proc/net/if_inet6", "utf8")
        .split("\n")
        .find((line) => line.startsWith(Buffer.from(addressBytes(addressOf(text))).toString("hex")))
        ?.split(/\s+/)[4];
    // Permanent and without detection of duplicates, and not tentative.
    expect(flags("fd99::1")).toBe("82");
  });

  test.each([
    ["IPv4", 4, "10.99.0.254", "10.99.0.0/24", "0.0.0.0/0"],
    ["IPv6", 6, "fd99::fe", "fd99::/64", "::/0"],
  ] as const)(
    "the default route of %s is one, and its removal needs no gateway",
    (_, family, by, onLink, everything) => {
      const { index } = link("nl1");
      const gateway = addressOf(by);
      const listed = () =>
        listRoutes(netlink, family)
          .filter(({ table, destination }) => table === MAIN_TABLE && !formatPrefix(destination).startsWith("fe80"))
          .map((route) => ({ ...route, destination: formatPrefix(route.destination) }));
      netlink.execute(addDefaultRoute(family, gateway, index));
      expect(listed()).toContainEqual({ destination: everything, gateway, index, table: MAIN_TABLE });
      expect(failure(() => netlink.execute(addDefaultRoute(family, gateway, index)))).toMatchObject({
        kind: "conflict",
        errno: EEXIST,
        call: "netlink",
        message: expect.stringContaining(`cannot route by ${by}`),
      });
      netlink.execute(deleteDefaultRoute(family));
      expect(failure(() => netlink.execute(deleteDefaultRoute(family))).errno).toBe(ESRCH);
      expect(listed()).toEqual([{ destination: onLink, gateway: undefined, index, table: MAIN_TABLE }]);
    },
  );

  test.each([
    ["IPv4", 4, "10.99.0.7"],
    ["IPv6", 6, "fd99::7"],
  ] as const)("neighbours of %s are set for good and forgotten", (_, family, text) => {
    const { index } = link("nl1");
    const address = addressOf(text);
    netlink.execute(setNeighbour(index, address, "02:00:00:00:00:07"));
    netlink.execute(setNeighbour(index, address, "02:00:00:00:00:08"));
    expect(listNeighbours(netlink, family, index).get(text)).toBe("02:00:00:00:00:08");
    netlink.execute(deleteNeighbour(index, address));
    expect(listNeighbours(netlink, family, index).has(text)).toBe(false);
  });

  test("of many requests in one datagram the first refusal is thrown and the others are carried out", () => {
    const refused = failure(() =>
      netlink.execute(deleteLink("absent"), createBridge({ name: "nl2" }), createBridge({ name: "nl1" })),
    );
    expect(refused).toMatchObject({
      doing: "cannot remove the interface absent",
      call: "netlink",
      args: "type 17",
      errno: ENODEV,
    });
    expect(refused.code).toBe("ENODEV");
    netlink.execute(deleteLink("nl2"));
    const explained = failure(() => netlink.execute(changeLink("nl1", { mtu: 9 })));
    expect(explained.message).toMatch(/cannot change the interface nl1: netlink type 16: EINVAL .*\(mtu less than/);
    const { index } = link("nl1");
    const many = Array.from({ length: 200 }, (_, i) => prefixOf(`10.98.1.${i}/32`));
    netlink.execute(...many.map((address) => addAddress(index, address)));
    expect(listAddresses(netlink, 4, index)).toHaveLength(201);
    netlink.execute(...many.map((address) => deleteAddress(index, address)));
    expect(listAddresses(netlink, 4, index)).toHaveLength(1);
  });

  test("the generation of nftables grows with every transaction, and only with those", () => {
    using netfilter = Netlink.open(NETLINK_NETFILTER);
    using nft = new Nftables();
    const before = nftablesGeneration(netfilter);
    nft.run("cannot make a table", "add table ip one\nadd table ip two");
    expect(nftablesGeneration(netfilter)).toBe(before + 1);
    nft.list("tables");
    expect(nftablesGeneration(netfilter)).toBe(before + 1);
    nft.run("cannot remove tables", "delete table ip one\ndelete table ip two");
  });

  test.each([
    ["IPv4", 4, "127.0.0.1"],
    ["IPv6", 6, "::1"],
  ] as const)("UDP flows of %s to a port are forgotten, others stay", async (_, family, hostname) => {
    using netfilter = Netlink.open(NETLINK_NETFILTER);
    using nft = new Nftables();
    // Tracking starts with the first rule that asks for it.
    nft.run(
      "cannot track",
      "table inet track { chain out { type filter hook output priority 0; ct state new accept; }; }",
    );
    for (const port of [4711, 4712]) {
      const socket = await Bun.udpSocket({ hostname, socket: { data() {}, error() {} } });
      socket.send("x", port, hostname);
      socket.close();
    }
    const flows = { family, protocol: "udp", port: 4711 } as const;
    expect(forgetFlows(netfilter, [{ ...flows, target: addressOf("192.0.2.1") }])).toBe(0);
    expect(forgetFlows(netfilter, [{ ...flows, target: addressOf(hostname) }])).toBe(1);
    expect(forgetFlows(netfilter, [flows])).toBe(0);
    expect(forgetFlows(netfilter, [flows, { ...flows, port: 4713 }])).toBe(0);
    expect(forgetFlows(netfilter, [flows, { ...flows, port: 4712 }])).toBe(1);
    nft.run("cannot stop tracking", "delete table inet track");
  });
}
