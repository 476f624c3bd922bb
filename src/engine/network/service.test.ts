import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { listLinks } from "#linux/netlink-link.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { Nftables } from "#linux/nftables.ts";
import { ask, listen } from "./peers.ts";
import { bridgeFilterModes, HOST_ADDRESS, raiseHost, setBridgeFilter, TestNetwork } from "./private-network.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import type { Sandbox, SandboxRequest } from "./types.ts";

if (inPrivateNetwork()) insideTests();
else test("networks work with a real kernel", () => rerunInPrivateNetwork(import.meta.path), 120_000);

function request(name: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { containerId: name.padEnd(64, "0"), name, hostname: name, mode: "bridge", ...more };
}

function address(sandbox: Sandbox): string {
  return sandbox.endpoints[0]!.ipAddress;
}

function links(): string[] {
  using netlink = Netlink.open(NETLINK_ROUTE);
  return listLinks(netlink)
    .map(({ name }) => name)
    .filter((name) => name !== "lo" && name !== "host0")
    .toSorted();
}

function tables(): string[] {
  using nft = new Nftables();
  return (nft.list("tables") ?? [])
    .flatMap(({ table }) => (table === undefined ? [] : [(table as { name: string }).name]))
    .toSorted();
}

function insideTests(): void {
  beforeAll(raiseHost);
  const binding = (HostIp: string, HostPort: string) => [{ HostIp, HostPort }];

  describe("published ports", () => {
    let net: TestNetwork;
    let web: Sandbox;
    let neighbour: Sandbox;
    let stranger: Sandbox;
    const open: AsyncDisposable[] = [];
    beforeAll(async () => {
      net = new TestNetwork();
      await net.service.recover([]);
      await net.service.create({ Name: "other" });
      const ports = {
        "80/tcp": binding("", "8080"),
        "81/tcp": binding("127.0.0.1", "8081"),
        "53/udp": binding("", "5353"),
      };
      web = await net.service.allocate(request("web", { ports, exposedPorts: ["80/tcp", "9/tcp"] }));
      neighbour = await net.service.allocate(request("neighbour"));
      stranger = await net.service.allocate(request("stranger", { mode: "other" }));
      open.push(await listen(web.netnsPath!, "tcp", 80, 81, 82), await listen(web.netnsPath!, "udp", 53));
    });
    afterAll(async () => {
      for (const one of open) await one[Symbol.asyncDispose]();
      for (const { containerId } of [web, neighbour, stranger]) await net.service.release(containerId);
      await net[Symbol.asyncDispose]();
      expect(links()).toEqual([]);
      expect(tables()).toEqual([]);
    });

    test("are listed as Docker does", () => {
      expect(web.ports).toEqual({
        "9/tcp": null,
        "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }],
        "81/tcp": [{ HostIp: "127.0.0.1", HostPort: "8081" }],
        "53/udp": [{ HostIp: "0.0.0.0", HostPort: "5353" }],
      });
    });

    for (const bridgeFilter of bridgeFilterModes()) {
      describe(`with bridge-nf-call-iptables ${bridgeFilter}`, () => {
        beforeAll(() => setBridgeFilter(bridgeFilter));

        test("answer on loopback, on the host's address and on the container's", async () => {
          expect(await ask(undefined, "tcp", "127.0.0.1", 8080)).toBe("10.213.0.1");
          expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
          expect(await ask(undefined, "tcp", address(web), 80)).toBe("10.213.0.1");
          expect(await ask(undefined, "udp", "127.0.0.1", 5353)).toBe("10.213.0.1");
        });

        test("answer other containers and the container itself by the host's address", async () => {
          expect(await ask(neighbour.netnsPath, "tcp", HOST_ADDRESS, 8080)).toBe("10.213.0.1");
          expect(await ask(neighbour.netnsPath, "tcp", "10.213.0.1", 8080)).toBe("10.213.0.1");
          expect(await ask(web.netnsPath, "tcp", HOST_ADDRESS, 8080)).toBe("10.213.0.1");
          expect(await ask(stranger.netnsPath, "tcp", HOST_ADDRESS, 8080)).toBe(address(stranger));
          expect(await ask(stranger.netnsPath, "udp", HOST_ADDRESS, 5353)).toBe(address(stranger));
        });

        test("are all that another network reaches", async () => {
          expect(await ask(neighbour.netnsPath, "tcp", address(web), 82)).toBe(address(neighbour));
          expect(await ask(stranger.netnsPath, "tcp", address(web), 82)).toBe("timeout");
          expect(await ask(stranger.netnsPath, "tcp", address(web), 80)).toBe("timeout");
        });

        test("of loopback stay on loopback", async () => {
          expect(await ask(undefined, "tcp", "127.0.0.1", 8081)).toBe("10.213.0.1");
          expect(await ask(undefined, "tcp", HOST_ADDRESS, 8081)).toBe("refused");
          expect(await ask(neighbour.netnsPath, "tcp", HOST_ADDRESS, 8081)).toBe("refused");
        });
      });
    }

    test("in use are refused with Docker's words and nothing is left", async () => {
      const before = links();
      const taken = net.service.allocate(request("late", { ports: { "80/tcp": binding("", "8080") } }));
      await expect(taken).rejects.toThrow(
        /^failed to set up container networking: driver failed programming external connectivity on endpoint late \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
      );
      const deadline = performance.now() + 2000;
      while (links().length > before.length && performance.now() < deadline) await Bun.sleep(20);
      expect(links()).toEqual(before);
      expect(() => Bun.listen({ hostname: "0.0.0.0", port: 8080, socket: { data() {} } })).toThrow();
    });

    test("are repaired after somebody flushed the ruleset", async () => {
      using nft = new Nftables();
      nft.run("cannot flush", "flush ruleset");
      const late = await net.service.allocate(request("late", { ports: { "80/tcp": binding("", "") } }));
      expect(Number(late.ports["80/tcp"]![0]!.HostPort)).toBeGreaterThanOrEqual(32768);
      expect(await ask(undefined, "tcp", "127.0.0.1", 8080)).toBe("10.213.0.1");
      await net.service.release(late.containerId);
    });

    test("follow the endpoint when networks are connected and disconnected", async () => {
      const endpoint = await net.service.connect("other", web.containerId, { Aliases: ["www"], GwPriority: 5 });
      expect(endpoint).toMatchObject({ interface: "eth1", dnsNames: ["web", "www", "web000000000"] });
      expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
      expect(await ask(stranger.netnsPath, "tcp", endpoint!.ipAddress, 82)).toBe(address(stranger));
      expect(net.service.sandbox(web.containerId)!.hosts).toContain(`${endpoint!.ipAddress}\tweb\n`);
      expect((await net.service.disconnect("other", web.containerId)).detached).toBe(true);
      expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
      expect((await net.service.disconnect("other", web.containerId)).detached).toBe(false);
      expect(net.service.counters(web.containerId)["eth0"]!.rxPackets).toBeGreaterThan(10);
    });
  });

  test("internal networks have no way out and none in", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    await net.service.create({ Name: "inner", Internal: true });
    const one = await net.service.allocate(request("one", { mode: "inner", ports: { "80/tcp": binding("", "8080") } }));
    const two = await net.service.allocate(request("two", { mode: "inner" }));
    const out = await net.service.allocate(request("out"));
    {
      await using _listener = await listen(one.netnsPath!, "tcp", 80);
      expect(await ask(two.netnsPath, "tcp", address(one), 80)).toBe(address(two));
      expect(await ask(out.netnsPath, "tcp", address(one), 80)).toBe("timeout");
      expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe("refused");
      expect(one.endpoints[0]!.gateway).toBe("");
    }
    for (const { containerId } of [one, two, out]) await net.service.release(containerId);
    await net.service.remove("inner");
    expect(net.events.at(-1)).toBe("destroy inner");
  });

  test("a network without enable_icc keeps its containers apart", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    await net.service.create({ Name: "apart", Options: { "com.docker.network.bridge.enable_icc": "false" } });
    const one = await net.service.allocate(request("one", { mode: "apart" }));
    const two = await net.service.allocate(request("two", { mode: "apart" }));
    {
      await using _listener = await listen(one.netnsPath!, "tcp", 80);
      expect(["timeout", "refused"]).toContain(await ask(two.netnsPath, "tcp", address(one), 80));
      expect(await ask(undefined, "tcp", address(one), 80)).toBe("10.213.1.1");
    }
    for (const { containerId } of [one, two]) await net.service.release(containerId);
  });

  test("modes none, host and container", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    const none = await net.service.allocate(request("none", { mode: "none" }));
    expect(none).toMatchObject({ endpoints: [{ networkName: "none", ipAddress: "" }], ports: {} });
    const host = await net.service.allocate(request("host", { mode: "host" }));
    expect(host.netnsPath).toBeUndefined();
    const shared = await net.service.allocate(request("shared", { mode: `container:${none.containerId}` }));
    expect(shared).toMatchObject({ netnsPath: none.netnsPath, sharedWith: none.containerId, hosts: none.hosts });
    await expect(net.service.allocate(request("lost", { mode: "container:gone" }))).rejects.toMatchObject({
      kind: "conflict",
    });
    await expect(net.service.connect("bridge", host.containerId, {})).rejects.toMatchObject({ kind: "conflict" });
    for (const { containerId } of [none, host, shared]) await net.service.release(containerId);
    await net.service.release(none.containerId);
    expect(net.events).toEqual(["connect none", "connect host", "disconnect none", "disconnect host"]);
  });

  test("a new daemon keeps the living and removes all else", async () => {
    await using net = new TestNetwork({ warm: 2 });
    const first = net.service;
    await first.recover([]);
    await first.create({ Name: "mine" });
    const ports = { "80/tcp": binding("", "8080") };
    const kept = await first.allocate(request("kept", { ports, mode: "mine" }));
    await first.allocate(request("lost", { ports: { "80/tcp": binding("", "8082") } }));
    while (readdirSync(net.layout.networkNamespaces).length < 4) await Bun.sleep(10);
    await using _listener = await listen(kept.netnsPath!, "tcp", 80);
    // The first daemon is not closed but forgotten, as after a kill; its sockets still hold the ports, as another program would.
    using nft = new Nftables();
    nft.run("cannot remove the table", "delete table inet berth_test");

    const second = net.reopen();
    await second.recover([kept.containerId]);
    expect(readdirSync(net.layout.networkNamespaces).filter((name) => kept.netnsPath!.endsWith(name))).toHaveLength(1);
    expect(second.sandbox(kept.containerId)).toEqual(kept);
    expect(second.sandbox(request("lost").containerId)).toBeUndefined();
    expect(Object.keys(second.inspect("mine").Containers)).toEqual([kept.containerId]);
    expect(await ask(undefined, "tcp", "127.0.0.1", 8080)).toBe("10.213.1.1");
    const fresh = await second.allocate(request("fresh", { mode: "mine" }));
    expect(address(fresh)).toBe("10.213.1.3");
    await second.release(fresh.containerId);
    await second.release(kept.containerId);
    await first.close();
  });

  test("warm sandboxes serve and are gone after close", async () => {
    {
      await using net = new TestNetwork({ warm: 2 });
      await net.service.recover([]);
      while (readdirSync(net.layout.networkNamespaces).length < 2) await Bun.sleep(10);
      const one = await net.service.allocate(request("one", { mode: "bridge" }));
      const two = await net.service.allocate(request("two", { macAddress: "02:00:00:00:00:07" }));
      expect(address(one)).toBe("10.213.0.2");
      expect(two.endpoints[0]!.macAddress).toBe("02:00:00:00:00:07");
      await using _listener = await listen(one.netnsPath!, "tcp", 80);
      expect(await ask(two.netnsPath, "tcp", address(one), 80)).toBe(address(two));
      for (const { containerId } of [one, two]) await net.service.release(containerId);
    }
    expect(links()).toEqual([]);
    expect(tables()).toEqual([]);
  });
}
