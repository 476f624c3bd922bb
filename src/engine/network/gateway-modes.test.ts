/** How packets get into bridge networks and out of them: modes nat, nat-unprotected, routed and isolated, and their like. */
import { beforeAll, expect, test } from "bun:test";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { Nftables } from "#linux/nftables.ts";
import { ask, askAll, listen, type Question } from "./peers.ts";
import {
  HOST_ADDRESS,
  HOST_ADDRESS6,
  OUTSIDE_ADDRESS,
  OUTSIDE_ADDRESS6,
  raiseHost,
  raiseOutside,
  TestNetwork,
  withHostAddresses,
} from "./private-network.ts";
import type { Sandbox, SandboxRequest } from "./types.ts";

if (inPrivateNetwork()) insideTests();
else test("gateway modes with a real kernel", () => rerunInPrivateNetwork(import.meta.path), 120_000);

const mode = (name: string) => ({
  "com.docker.network.bridge.gateway_mode_ipv4": name,
  "com.docker.network.bridge.gateway_mode_ipv6": name,
});
const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }], "82/tcp": [{ HostIp: "", HostPort: "" }] };

function request(name: string, mode: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { containerId: name.padEnd(64, "0"), name, hostname: name, mode, ...more };
}

/** Both addresses of a container. */
function addresses({ endpoints: [endpoint] }: Sandbox): [string, string] {
  return [endpoint?.ipAddress ?? "", endpoint?.ipv6Address ?? ""];
}

function tcp(hosts: readonly string[], port: number): Question[] {
  return hosts.map((host) => ["tcp", host, port]);
}

/** What is in sets and maps of the daemon's table. */
function elements(...names: readonly string[]): unknown[] {
  using nft = new Nftables();
  const objects = nft.list("table inet berth_test", { elements: true }) ?? [];
  return objects
    .map((object) => (object["set"] ?? object["map"]) as { name: string; elem?: unknown[] } | undefined)
    .flatMap((set) => (set !== undefined && names.includes(set.name) ? (set.elem ?? []) : []));
}

async function network(): Promise<TestNetwork> {
  const net = new TestNetwork({
    pools: [
      { base: "10.213.0.0/16", size: 24 },
      { base: "fd13::/48", size: 64 },
    ],
  });
  await net.service.recover([]);
  return net;
}

function insideTests(): void {
  beforeAll(raiseHost);

  test("routed: outsiders and other networks reach what is published on the containers' own addresses", async () => {
    await using net = await network();
    await using outside = await raiseOutside();
    const { service } = net;
    await service.create({ Name: "routed", EnableIPv6: true, Options: mode("routed") });
    await service.create({ Name: "other", EnableIPv6: true });
    const web = await service.allocate(request("web", "routed", { ports }));
    const other = await service.allocate(request("other", "other"));
    expect(web.ports).toEqual({
      "80/tcp": [
        { HostIp: "0.0.0.0", HostPort: "" },
        { HostIp: "::", HostPort: "" },
      ],
      "82/tcp": [
        { HostIp: "0.0.0.0", HostPort: "" },
        { HostIp: "::", HostPort: "" },
      ],
    });
    const own = addresses(web);
    expect(elements("opened", "opened6")).toHaveLength(4);
    expect(elements("published", "published6")).toEqual([]);
    {
      await using _web = await listen(web.netnsPath ?? "", "tcp", 80, 81);
      await using _outside = await listen(outside.path, "tcp", 90);
      expect(await askAll(outside.path, tcp(own, 80))).toEqual([OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6]);
      expect(await askAll(outside.path, tcp(own, 81))).toEqual(["timeout", "timeout"]);
      expect(await askAll(outside.path, tcp([HOST_ADDRESS, HOST_ADDRESS6], 8080))).toEqual(["refused", "refused"]);
      expect(await askAll(other.netnsPath, tcp(own, 80))).toEqual(addresses(other));
      expect(await askAll(other.netnsPath, tcp(own, 81))).toEqual(["timeout", "timeout"]);
      expect(await askAll(undefined, tcp(own, 81))).toEqual(["10.213.1.1", "fd13::1"]);
      // Nothing hides behind the host; the other network still does.
      expect(await askAll(web.netnsPath, tcp([OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6], 90))).toEqual(own);
      expect(await ask(other.netnsPath, "tcp", OUTSIDE_ADDRESS6, 90)).toBe(HOST_ADDRESS6);
    }
    await service.release(web.containerId);
    expect(elements("opened", "opened6")).toEqual([]);
    await service.release(other.containerId);
  });

  test("nat-unprotected: outsiders reach every port of the containers' own addresses, other networks none", async () => {
    await using net = await network();
    await using outside = await raiseOutside();
    const { service } = net;
    await service.create({ Name: "free", EnableIPv6: true, Options: mode("nat-unprotected") });
    const web = await service.allocate(request("web", "free", { ports }));
    const other = await service.allocate(request("other", "bridge"));
    expect(web.ports["80/tcp"]).toEqual([
      { HostIp: "0.0.0.0", HostPort: "8080" },
      { HostIp: "::", HostPort: "8080" },
    ]);
    await using _web = await listen(web.netnsPath ?? "", "tcp", 80, 81);
    await using _outside = await listen(outside.path, "tcp", 90);
    expect(await askAll(outside.path, tcp(addresses(web), 81))).toEqual([OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6]);
    expect(await askAll(outside.path, tcp([HOST_ADDRESS, HOST_ADDRESS6], 8080))).toEqual([
      OUTSIDE_ADDRESS,
      OUTSIDE_ADDRESS6,
    ]);
    expect(await ask(other.netnsPath, "tcp", addresses(web)[0], 81)).toBe("timeout");
    expect(await ask(web.netnsPath, "tcp", OUTSIDE_ADDRESS6, 90)).toBe(HOST_ADDRESS6);
    for (const { containerId } of [web, other]) await service.release(containerId);
  });

  test("one family routed, the other not: each port goes its way", async () => {
    await using net = await network();
    const { service } = net;
    const Options = { "com.docker.network.bridge.gateway_mode_ipv6": "routed" };
    await service.create({ Name: "half", EnableIPv6: true, Options });
    const web = await service.allocate(request("web", "half", { ports }));
    expect(web.ports["80/tcp"]).toEqual([
      { HostIp: "0.0.0.0", HostPort: "8080" },
      { HostIp: "::", HostPort: "" },
    ]);
    await service.release(web.containerId);
  });

  test("isolated: the bridge has no address, and containers still have each other", async () => {
    await using net = await network();
    const { service } = net;
    const refused = service.create({ Name: "x", EnableIPv6: true, Options: mode("isolated") });
    await expect(refused).rejects.toThrow("gateway mode 'isolated' can only be used for an internal network");
    await service.create({ Name: "island", EnableIPv6: true, Internal: true, Options: mode("isolated") });
    expect(service.inspect("island").IPAM.Config).toEqual([{ Subnet: "10.213.1.0/24" }, { Subnet: "fd13::/64" }]);
    const one = await service.allocate(request("one", "island"));
    const two = await service.allocate(request("two", "island"));
    // No gateway, so that the first address is free.
    expect(addresses(one)).toEqual(["10.213.1.1", "fd13::1"]);
    {
      await using _one = await listen(one.netnsPath ?? "", "tcp", 80);
      expect(await askAll(two.netnsPath, tcp(addresses(one), 80))).toEqual(addresses(two));
      expect(await ask(undefined, "tcp", addresses(one)[0], 80)).not.toBe(HOST_ADDRESS);
    }
    for (const { containerId } of [one, two]) await service.release(containerId);
  });

  test("without masquerading, and with a source of the user's, packets leave as they should", async () => {
    await using net = await network();
    await using outside = await raiseOutside();
    const { service } = net;
    const masquerade = { "com.docker.network.bridge.enable_ip_masquerade": "false" };
    const source = { "com.docker.network.host_ipv6": "fd12::77", "com.docker.network.host_ipv4": "10.212.0.77" };
    await service.create({ Name: "bare", EnableIPv6: true, Options: masquerade });
    await service.create({ Name: "dressed", EnableIPv6: true, Options: source });
    const bare = await service.allocate(request("bare", "bare"));
    const dressed = await service.allocate(request("dressed", "dressed"));
    await using _outside = await listen(outside.path, "tcp", 90);
    const targets = tcp([OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6], 90);
    expect(await askAll(bare.netnsPath, targets)).toEqual(addresses(bare));
    {
      // The answers come to the host where it has the address.
      using _addresses = withHostAddresses("10.212.0.77/24", "fd12::77/64");
      expect(await askAll(dressed.netnsPath, targets)).toEqual(["10.212.0.77", "fd12::77"]);
    }
    for (const { containerId } of [bare, dressed]) await service.release(containerId);
  });

  test("a trusted interface leads to what is published on the containers' own addresses, in mode nat too", async () => {
    await using net = await network();
    await using outside = await raiseOutside();
    const { service } = net;
    const Options = { "com.docker.network.bridge.trusted_host_interfaces": "host0:absent0" };
    await service.create({ Name: "trusting", EnableIPv6: true, Options });
    const twice = { "80/tcp": [...ports["80/tcp"], { HostIp: "", HostPort: "8081" }] };
    const web = await service.allocate(request("web", "trusting", { ports: twice }));
    await using _web = await listen(web.netnsPath ?? "", "tcp", 80, 81);
    const seen = async () => await askAll(outside.path, tcp(addresses(web), 80));
    expect(await seen()).toEqual([OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6]);
    expect(await askAll(outside.path, tcp(addresses(web), 81))).toEqual(["timeout", "timeout"]);
    const published = service.publishedPorts(web.containerId)?.published ?? [];
    const change = (hostPort: number) =>
      service.changePorts(web.containerId, {
        add: {},
        remove: published.filter((port) => port.hostPort === hostPort),
        exposed: [],
      });
    // What was published twice is open until both are gone.
    change(8080);
    expect(await seen()).toEqual([OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6]);
    change(8081);
    expect(await seen()).toEqual(["timeout", "timeout"]);
    await service.release(web.containerId);
  });
}
