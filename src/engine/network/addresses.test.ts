/** Which subnets and addresses networks and containers get, and by which endpoint they reach everything else. */
import { expect, test } from "bun:test";
import { formatPrefix, prefixOf } from "#lib/ip.ts";
import { pickSubnet, poolsOf, ulaPool } from "./address-pools.ts";
import { AddressSpace } from "./address-space.ts";
import { chooseGateways } from "./gateways.ts";
import { portRequests, portWishes } from "./ports.ts";
import { chosenSubnets } from "./subnet-config.ts";
import type { Endpoint } from "./types.ts";

const BOTH = { 4: true, 6: true };

function picked(family: 4 | 6, used: string[], pools = poolsOf(undefined, "host")): string {
  return formatPrefix(pickSubnet(pools, family, used.map(prefixOf)));
}

test("free subnets come from the pools of their family, behind whatever is in the way", () => {
  expect(picked(4, [])).toBe("172.17.0.0/16");
  expect(picked(4, ["172.17.5.0/24", "172.16.0.0/12", "::/0"])).toBe("192.168.0.0/20");
  const pools = [
    { base: "fd00:1::/48", size: 64 },
    { base: "10.0.0.0/8", size: 24 },
    { base: "fd00:2::/32", size: 64 },
  ];
  expect(picked(6, [], pools)).toBe("fd00:1::/64");
  expect(picked(6, ["fd00:1::/64", "fd00:1:0:1::1/128"], pools)).toBe("fd00:1:0:2::/64");
  // Four billion subnets are passed over at once.
  expect(picked(6, ["fd00:1::/32", "fd00:2::/33"], pools)).toBe("fd00:2:8000::/64");
  expect(picked(4, ["10.0.0.0/9"], pools)).toBe("10.128.0.0/24");
  expect(() => picked(6, ["fd00::/16"], pools)).toThrow("all predefined address pools have been fully subnetted");
});

test("IPv6 networks of a host are in one unique local prefix that is always the same", () => {
  expect(ulaPool("a")).toEqual(ulaPool("a"));
  expect(ulaPool("a")).not.toEqual(ulaPool("b"));
  expect(ulaPool("a").base).toMatch(/^fd[\da-f]{2}:[\da-f]{1,4}:[\da-f]{1,4}::\/48$/);
  const own = [{ base: "2001:db8::/32", size: 64 }];
  expect(poolsOf(own, "a")).toEqual(own);
  expect(poolsOf([{ base: "10.0.0.0/8", size: 24 }], "a").at(-1)).toEqual(ulaPool("a"));
});

test("addresses are handed out once, without the network's own, the gateway and what is reserved", () => {
  const config = { gateway: "fd00::1", reserved: ["fd00::3"], chosen: true };
  const six = new AddressSpace({ ...config, subnet: "fd00::/126" }, "six");
  expect(six.take()).toBe("fd00::2");
  expect(() => six.take()).toThrow("no available IPv6 addresses on this network's address pools: six");
  expect(() => six.claim("fd00::2")).toThrow("Address already in use");
  expect(() => six.claim("fd00::7")).toThrow("no configured subnet contains IP address fd00::7");
  six.giveBack("fd00::2");
  six.claim("fd00:0::2");
  const four = { subnet: "10.0.0.0/29", range: "10.0.0.4/30", gateway: "10.0.0.1", reserved: [], chosen: true };
  const ranged = new AddressSpace(four, "four");
  expect([ranged.take(), ranged.take(), ranged.take()]).toEqual(["10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  expect(() => ranged.take()).toThrow("no available IPv4 addresses");
});

test("all faults of a network's addresses are told at once, in Docker's words", () => {
  const faults = () =>
    chosenSubnets(
      [
        { Subnet: "fd00::5/64", Gateway: "10.0.0.1", IPRange: "fd01::/80" },
        { Subnet: "10.0.0.0/24", Gateway: "10.0.1.1", AuxiliaryAddresses: { x: "fd00::1" } },
        { Subnet: "fe80::/80" },
        { Subnet: "nonsense" },
      ],
      BOTH,
    );
  expect(faults).toThrow(
    [
      "invalid network config:",
      "* invalid subnet fd00::5/64: it should be fd00::/64",
      "* invalid ip-range fd01::/80: parent subnet fd00::5/64 doesn't contain ip-range",
      "* invalid gateway 10.0.0.1: parent subnet is an IPv6 block",
      "* invalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address",
      "* invalid auxiliary address x: parent subnet is an IPv4 block",
      "* 'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'",
      "* invalid subnet nonsense: invalid CIDR block notation",
    ].join("\n"),
  );
  // A subnet of a family that is off counts for nothing, whatever is wrong with it.
  expect(chosenSubnets([{ Subnet: "fd00::5/64" }], { 4: true, 6: false })).toEqual({ 4: [], 6: [] });
});

test("the way out is the first endpoint with both families, else one for each", () => {
  const endpoint = (networkName: string, gateway: string, ipv6Gateway: string): Endpoint => ({
    networkId: networkName,
    networkName,
    endpointId: networkName,
    interface: "",
    hostInterface: "veth",
    ipAddress: "",
    prefixLength: 0,
    gateway,
    ipv6Address: "",
    ipv6PrefixLength: 0,
    ipv6Gateway,
    macAddress: "",
    aliases: [],
    dnsNames: [],
  });
  const [a, b] = [endpoint("a", "10.0.0.1", ""), endpoint("b", "", "fd00::1")];
  const [c, d] = [endpoint("c", "10.0.1.1", "fd01::1"), endpoint("d", "10.0.2.1", "fd02::1")];
  expect(chooseGateways([b, a], {})).toEqual({ 4: a, 6: b });
  expect(chooseGateways([d, c, b, a], {})).toEqual({ 4: c, 6: c });
  expect(chooseGateways([a, c, d], { d: 1 })).toEqual({ 4: d, 6: d });
  expect(chooseGateways([endpoint("inner", "", "")], {})).toEqual({});
});

test("bindings that differ in the address alone are one request; families that are missing get none", () => {
  const wishes = (HostIp: string, HostPort = "") => portWishes({ "80/tcp": [{ HostIp, HostPort }] }, [], false);
  const addresses = (HostIp: string, hostBinding = "0.0.0.0") =>
    portRequests(wishes(HostIp), { hostBinding, 4: "translated", 6: "translated" }).map((one) => one.hostAddresses);
  expect(addresses("")).toEqual([["0.0.0.0", "::"]]);
  expect(addresses("", "127.0.0.1")).toEqual([["127.0.0.1"]]);
  expect(addresses("", "::1")).toEqual([["::1"]]);
  expect(addresses("0:0::0")).toEqual([["::"]]);
  expect(addresses("::ffff:10.0.0.1")).toEqual([["10.0.0.1"]]);
  expect(portRequests(wishes(""), { hostBinding: "0.0.0.0", 4: "translated" })[0]?.hostAddresses).toEqual(["0.0.0.0"]);
  const pair = [...wishes("127.0.0.1"), ...wishes("::1"), ...wishes("", "8080")];
  const requests = portRequests(pair, { hostBinding: "0.0.0.0", 4: "translated", 6: "direct" });
  expect(requests.map((one) => one.hostAddresses)).toEqual([["127.0.0.1", "::"], ["0.0.0.0"]]);
  expect(() => wishes("fe80::1%eth0")).toThrow("invalid IP address: fe80::1%eth0");
});
