/** Networks of drivers macvlan and ipvlan over devices that the test makes, with a real kernel. */
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { formatAddress } from "#lib/ip.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { createDummy, createVlan, hasLinkKind } from "#linux/netlink-child.ts";
import { changeLink, createVeth, deleteLink, findLink, listLinks } from "#linux/netlink-link.ts";
import { listRoutes } from "#linux/netlink-route.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { EOPNOTSUPP, hasErrno } from "#linux/syscall-error.ts";
import { ask, listen } from "./peers.ts";
import { HOST_ADDRESS, raiseHost, TestNetwork } from "./private-network.ts";
import type { SandboxRequest } from "./types.ts";

if (inPrivateNetwork()) insideTests();
else test("macvlan and ipvlan networks", () => rerunInPrivateNetwork(import.meta.path), 120_000);

const PARENT = "uplink0";
const OWN = new Set(["lo", "host0", PARENT, "uplink1"]);

function request(name: string, mode: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { containerId: `${name}-`.padEnd(64, "0"), name, hostname: name, mode, ...more };
}

function links(): string[] {
  using netlink = Netlink.open(NETLINK_ROUTE);
  return listLinks(netlink).flatMap(({ name }) => (OWN.has(name) ? [] : [name]));
}

/** Whether this kernel makes such devices; VLAN 9 of the parent stands for all VLANs. */
function kernelHas(kind: "dummy" | "vlan"): boolean {
  using netlink = Netlink.open(NETLINK_ROUTE);
  const parent = findLink(netlink, PARENT)?.index ?? 0;
  try {
    netlink.execute(kind === "dummy" ? createDummy("probe") : createVlan({ name: "probe", parent, id: 9 }));
    netlink.execute(deleteLink("probe"));
    return true;
  } catch (error) {
    if (hasErrno(error, EOPNOTSUPP)) return false;
    throw error;
  }
}

function kernelHasIpvlan(): boolean {
  using netlink = Netlink.open(NETLINK_ROUTE);
  return hasLinkKind(netlink, "ipvlan");
}

function network(Name: string, options: Record<string, string> = {}, Driver = "macvlan", subnet = "10.77.0.0/24") {
  return { Name, Driver, IPAM: { Config: [{ Subnet: subnet }] }, Options: { parent: PARENT, ...options } };
}

/** `rejects` would keep the threads from answering. */
function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function becomes(what: string, probe: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!probe()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await Bun.sleep(10);
  }
}

function insideTests(): void {
  beforeAll(() => {
    raiseHost();
    using netlink = Netlink.open(NETLINK_ROUTE);
    netlink.execute(createVeth({ name: PARENT }, { name: "uplink1" }), changeLink("uplink1", { up: true }));
  });
  afterEach(() => expect(links()).toEqual([]));

  describe("macvlan", () => {
    test("containers reach each other and not the host, and ports are not published", async () => {
      await using net = new TestNetwork();
      const { service } = net;
      await service.recover([]);
      await service.create(network("lan"));
      const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }] };
      const one = await service.allocate(request("one", "lan", { ports, exposedPorts: ["80/tcp"] }));
      const two = await service.allocate(request("two", "lan"));
      expect(one.ports).toEqual({});
      expect(one.endpoints[0]).toMatchObject({ ipAddress: "10.77.0.2", gateway: "10.77.0.1", interface: "eth0" });
      expect(one.endpoints[0]?.macAddress).toBe("02:42:0a:4d:00:02");
      {
        await using _listener = await listen(one.netnsPath ?? "", "tcp", 80);
        expect(await ask(two.netnsPath, "tcp", "10.77.0.2", 80)).toBe("10.77.0.3");
        expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe("refused");
      }
      const { eth0 } = service.counters(one.containerId);
      expect(eth0?.rxPackets).toBeGreaterThan(2);
      expect(eth0?.txPackets).toBeGreaterThan(2);
      for (const { containerId } of [one, two]) await service.release(containerId);
      await becomes("all gone", () => readdirSync(net.layout.networkNamespaces).length === 0);
      await service.remove("lan");
    });

    test("containers have IPv6 there too, beside IPv4 or alone", async () => {
      await using net = new TestNetwork();
      const { service } = net;
      await service.recover([]);
      const Config = [{ Subnet: "10.77.0.0/24" }, { Subnet: "fd77::/64", Gateway: "fd77::fe" }];
      await service.create({ ...network("lan"), EnableIPv6: true, IPAM: { Config } });
      const six = { IPAM: { Config: [{ Subnet: "fd78::/64" }] }, EnableIPv4: false, EnableIPv6: true };
      await service.create({ ...network("six"), ...six });
      const one = await service.allocate(request("one", "lan"));
      const two = await service.allocate(request("two", "lan"));
      const alone = await service.allocate(request("alone", "six"));
      expect(one.endpoints[0]).toMatchObject({
        ipAddress: "10.77.0.2",
        ipv6Address: "fd77::1",
        ipv6Gateway: "fd77::fe",
      });
      expect(alone.endpoints[0]).toMatchObject({ ipAddress: "", gateway: "", ipv6Address: "fd78::2" });
      {
        await using _listener = await listen(one.netnsPath ?? "", "tcp", 80);
        expect(await ask(two.netnsPath, "tcp", "fd77::1", 80)).toBe("fd77::2");
        expect(await ask(two.netnsPath, "tcp", "10.77.0.2", 80)).toBe("10.77.0.3");
        using socket = new Netlink(await net.namespaces.netlinkSocketIn(alone.netnsPath ?? ""));
        const ways = listRoutes(socket, 6).filter(({ destination }) => destination.bits === 0);
        expect(ways.map(({ gateway }) => gateway && formatAddress(gateway))).toEqual(["fd78::1"]);
      }
      for (const { containerId } of [one, two, alone]) await service.release(containerId);
      await becomes("all gone", () => readdirSync(net.layout.networkNamespaces).length === 0);
      for (const name of ["lan", "six"]) await service.remove(name);
    });

    test("mode private keeps containers apart, mode passthru gives one the parent's address", async () => {
      await using net = new TestNetwork();
      const { service } = net;
      await service.recover([]);
      await service.create(network("apart", { macvlan_mode: "private" }));
      const one = await service.allocate(request("one", "apart"));
      const two = await service.allocate(request("two", "apart"));
      {
        await using _listener = await listen(one.netnsPath ?? "", "tcp", 80);
        expect(await ask(two.netnsPath, "tcp", "10.77.0.2", 80)).not.toBe("10.77.0.3");
      }
      const through = network("through", { macvlan_mode: "passthru" }, "macvlan", "10.78.0.0/24");
      expect(await failure(service.create(through))).toMatchObject({
        kind: "conflict",
        message: expect.stringMatching(
          /^cannot use mode passthru, macvlan network [0-9a-f]{64} is already using parent interface uplink0$/,
        ),
      });
      for (const { containerId } of [one, two]) await service.release(containerId);
      await service.remove("apart");
      await service.create(through);
      expect(await failure(service.create(network("late")))).toMatchObject({
        message: expect.stringMatching(
          /^macvlan network [0-9a-f]{64} is already using parent interface uplink0 in mode passthru$/,
        ),
      });
      using netlink = Netlink.open(NETLINK_ROUTE);
      const mac = findLink(netlink, PARENT)?.mac;
      for (const name of ["first", "second"]) {
        const box = await service.allocate(request(name, "through"));
        expect(box.endpoints[0]?.macAddress).toBe(mac ?? "");
        expect(await failure(service.allocate(request("rival", "through")))).toMatchObject({
          kind: "conflict",
          message: expect.stringContaining("failed to create the macvlan port: device or resource busy"),
        });
        await service.release(box.containerId);
      }
      await becomes("all gone", () => readdirSync(net.layout.networkNamespaces).length === 0);
      await service.remove("through");
    });

    test("beside a bridge the one with priority has the route, and only the bridge has ports", async () => {
      await using net = new TestNetwork();
      const { service } = net;
      await service.recover([]);
      await service.create(network("lan"));
      const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }] };
      const box = await service.allocate(request("box", "bridge", { ports }));
      await using _listener = await listen(box.netnsPath ?? "", "tcp", 80);
      const gateways = async () => {
        using socket = new Netlink(await net.namespaces.netlinkSocketIn(box.netnsPath ?? ""));
        return listRoutes(socket, 4).flatMap(({ destination, gateway }) =>
          destination.bits === 0 && gateway !== undefined ? [formatAddress(gateway)] : [],
        );
      };
      const [byBridge] = await gateways();
      const endpoint = await service.connect("lan", box.containerId, { GwPriority: 5 });
      expect(endpoint).toMatchObject({ interface: "eth1", ipAddress: "10.77.0.2" });
      expect(await gateways()).toEqual(["10.77.0.1"]);
      expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe("refused");
      expect((await service.disconnect("lan", box.containerId)).detached).toBe(true);
      expect(await gateways()).toEqual([byBridge ?? ""]);
      expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
      await service.release(box.containerId);
      await service.remove("lan");
    });

    test("a daemon that was killed finds the containers again, and a parent that went away may come back", async () => {
      await using net = new TestNetwork();
      const first = net.service;
      await first.recover([]);
      await first.create(network("lan"));
      const kept = await first.allocate(request("kept", "lan"));
      await first.allocate(request("lost", "lan"));
      const second = net.reopen();
      await second.recover([kept.containerId]);
      expect(second.sandbox(kept.containerId)).toEqual(kept);
      const fresh = await second.allocate(request("fresh", "lan"));
      expect(fresh.endpoints[0]?.ipAddress).toBe("10.77.0.3");
      {
        await using _listener = await listen(kept.netnsPath ?? "", "tcp", 80);
        expect(await ask(fresh.netnsPath, "tcp", "10.77.0.2", 80)).toBe("10.77.0.3");
      }
      using netlink = Netlink.open(NETLINK_ROUTE);
      netlink.execute(deleteLink(PARENT));
      expect(await failure(second.allocate(request("late", "lan")))).toMatchObject({
        kind: "unavailable",
        message: expect.stringContaining("the requested parent interface uplink0 was not found on the Docker host"),
      });
      const third = net.reopen();
      await third.recover([kept.containerId]);
      netlink.execute(createVeth({ name: PARENT }, { name: "uplink1" }), changeLink("uplink1", { up: true }));
      const late = await third.allocate(request("late", "lan"));
      expect(late.endpoints[0]?.ipAddress).toBe("10.77.0.3");
      for (const { containerId } of [kept, late]) await third.release(containerId);
      await third.remove("lan");
      await Promise.all([first.close(), second.close()]);
    });

    test("options that make no sense are refused in Docker's words", async () => {
      await using net = new TestNetwork();
      const { service } = net;
      await service.recover([]);
      const cases: [Record<string, string>, string][] = [
        [
          { macvlan_mode: "odd" },
          "requested macvlan mode 'odd' is not valid, 'bridge' mode is the macvlan driver default",
        ],
        [{ parent: "lo" }, "loopback interface is not a valid macvlan parent link"],
        [{ parent: "absent" }, "invalid subinterface vlan name absent, example formatting is eth0.10"],
        [{ parent: `${PARENT}.x` }, "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)"],
        [{ parent: `${PARENT}.4095` }, "vlan id must be between 1-4094, received: 4095"],
        [{ parent: "absent.10" }, "-o parent interface was not found on the host: absent"],
      ];
      for (const [options, message] of cases) {
        expect(await failure(service.create(network("bad", options)))).toMatchObject({ kind: "invalid", message });
      }
    });
  });

  test("a VLAN of the parent comes and goes with its networks, and one of the user's stays", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    const vlan = `${PARENT}.50`;
    const asked = network("tagged", { parent: vlan });
    if (!kernelHas("vlan")) {
      expect(await failure(net.service.create(asked))).toMatchObject({
        kind: "unavailable",
        message: "this kernel cannot make such interfaces: it has no module 8021q (CONFIG_VLAN_8021Q)",
      });
      return;
    }
    await net.service.create(asked);
    await net.service.create(network("second", { parent: vlan }, "macvlan", "10.78.0.0/24"));
    expect(links()).toContain(vlan);
    const box = await net.service.allocate(request("box", "tagged"));
    {
      using netlink = Netlink.open(NETLINK_ROUTE);
      netlink.execute(deleteLink(vlan));
    }
    const next = net.reopen();
    await next.recover([box.containerId]);
    expect(links()).toContain(vlan);
    await next.release(box.containerId);
    await next.remove("tagged");
    expect(links()).toContain(vlan);
    await next.remove("second");
    expect(links()).not.toContain(vlan);
    using netlink = Netlink.open(NETLINK_ROUTE);
    const parent = findLink(netlink, PARENT)?.index ?? 0;
    netlink.execute(createVlan({ name: vlan, parent, id: 50 }));
    await next.create(asked);
    await next.remove("tagged");
    expect(links()).toContain(vlan);
    netlink.execute(deleteLink(vlan));
  });

  test("without a parent a dummy of our own carries the network, which leads nowhere", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    const asked = { ...network("inner"), Options: {} };
    if (!kernelHas("dummy")) {
      expect(await failure(net.service.create(asked))).toMatchObject({
        kind: "unavailable",
        message: "this kernel cannot make such interfaces: it has no module dummy (CONFIG_DUMMY)",
      });
      return;
    }
    const { Id } = await net.service.create(asked);
    expect(links()).toContain(`dm-${Id.slice(0, 12)}`);
    const one = await net.service.allocate(request("one", "inner"));
    const two = await net.service.allocate(request("two", "inner"));
    expect(one.endpoints[0]).toMatchObject({ ipAddress: "10.77.0.1", gateway: "" });
    {
      await using _listener = await listen(one.netnsPath ?? "", "tcp", 80);
      expect(await ask(two.netnsPath, "tcp", "10.77.0.1", 80)).toBe("10.77.0.2");
    }
    for (const { containerId } of [one, two]) await net.service.release(containerId);
    await net.service.remove("inner");
  });

  test("ipvlan", async () => {
    await using net = new TestNetwork();
    const { service } = net;
    await service.recover([]);
    if (!kernelHasIpvlan()) {
      expect(await failure(service.create(network("lan", {}, "ipvlan")))).toMatchObject({
        kind: "unavailable",
        message: "this kernel cannot make such interfaces: it has no module ipvlan (CONFIG_IPVLAN)",
      });
      return;
    }
    for (const [ipvlan_mode, gateway] of [
      ["l2", "10.77.0.1"],
      ["l3", ""],
      ["l3s", ""],
    ] as const) {
      await service.create(network("lan", { ipvlan_mode }, "ipvlan"));
      expect(await failure(service.create(network("more", {}, "ipvlan", "10.78.0.0/24")))).toMatchObject({
        message: expect.stringMatching(/^network di-[0-9a-f]{12} is already using parent interface uplink0$/),
      });
      const one = await service.allocate(request("one", "lan"));
      const two = await service.allocate(request("two", "lan"));
      expect(one.endpoints[0]).toMatchObject({ gateway, macAddress: "" });
      {
        await using _listener = await listen(one.netnsPath ?? "", "tcp", 80);
        const { ipAddress = "" } = one.endpoints[0] ?? {};
        expect(await ask(two.netnsPath, "tcp", ipAddress, 80)).toBe(two.endpoints[0]?.ipAddress ?? "");
        using socket = new Netlink(await net.namespaces.netlinkSocketIn(one.netnsPath ?? ""));
        expect(listRoutes(socket, 4).filter(({ destination }) => destination.bits === 0)).toHaveLength(1);
      }
      for (const { containerId } of [one, two]) await service.release(containerId);
      await becomes("all gone", () => readdirSync(net.layout.networkNamespaces).length === 0);
      await service.remove("lan");
    }
    const mac = { lan: { MacAddress: "02:00:00:00:00:01" } };
    await service.create(network("lan", {}, "ipvlan"));
    expect(await failure(service.allocate(request("mac", "lan", { endpoints: mac })))).toMatchObject({
      message: expect.stringContaining("ipvlan interfaces do not support custom mac address assignment"),
    });
    await service.remove("lan");
  });
}
