import { afterEach, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { deleteLink, listLinks } from "#linux/netlink-link.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { Nftables } from "#linux/nftables.ts";
import { ask, listen } from "./peers.ts";
import { raiseHost, TestNetwork } from "./private-network.ts";
import type { Sandbox, SandboxRequest } from "./types.ts";

if (inPrivateNetwork()) insideTests();
else
  test(
    "networks survive bursts, kills and other people's hands",
    () => rerunInPrivateNetwork(import.meta.path),
    120_000,
  );

function request(name: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { containerId: `${name}-`.padEnd(64, "0"), name, hostname: name, mode: "bridge", ...more };
}

function address(sandbox: Sandbox): string {
  return sandbox.endpoints[0]?.ipAddress ?? "";
}

function links(): string[] {
  using netlink = Netlink.open(NETLINK_ROUTE);
  return listLinks(netlink)
    .map(({ name }) => name)
    .filter((name) => name !== "lo" && name !== "host0");
}

/** The daemon's table with all elements, without what differs from one transaction to the next. */
function tableContent(): unknown {
  using nft = new Nftables();
  const tidy = (key: string, value: unknown) => {
    if (key === "handle") return undefined;
    return key === "elem" && Array.isArray(value) ? value.map((one) => JSON.stringify(one)).toSorted() : value;
  };
  return JSON.parse(JSON.stringify(nft.list("table inet berth_test", { elements: true }), tidy));
}

async function becomes(what: string, probe: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!probe()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await Bun.sleep(10);
  }
}

const chosen = { IPAM: { Config: [{ Subnet: "10.77.0.0/24" }] } };
const at = (IPv4Address: string, MacAddress: string) => ({ mine: { IPAMConfig: { IPv4Address }, MacAddress } });

function insideTests(): void {
  beforeAll(raiseHost);
  afterEach(() => expect(links()).toEqual([]));

  test("fifty at a time get addresses of their own, and leave nothing", async () => {
    await using net = new TestNetwork({ warm: 3 });
    await net.service.recover([]);
    const spares = () => readdirSync(net.layout.networkNamespaces).length;
    await becomes("three spares", () => spares() === 3);
    const names = Array.from({ length: 50 }, (_, i) => `burst${i}`);
    const all = await Promise.all(names.map((name) => net.service.allocate(request(name))));
    expect(new Set(all.map(address)).size).toBe(50);
    expect(new Set(all.map(({ endpoints }) => endpoints[0]?.macAddress)).size).toBe(50);
    expect(new Set(all.map(({ netnsPath }) => netnsPath)).size).toBe(50);
    expect(Object.keys(net.service.inspect("bridge").Containers)).toHaveLength(50);
    await becomes("three spares again", () => spares() === 53);
    await Promise.all(all.map(({ containerId }) => net.service.release(containerId)));
    await becomes("only spares", () => spares() === 3 && links().length === 4);
  });

  test("a range that is used up is refused, and what failed gives its things back", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    await net.service.create({ Name: "tiny", IPAM: { Config: [{ Subnet: "10.77.0.0/29" }] } });
    const names = Array.from({ length: 8 }, (_, i) => `tiny${i}`);
    const results = await Promise.allSettled(
      names.map((name) => net.service.allocate(request(name, { mode: "tiny" }))),
    );
    const made = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(made.map(address).toSorted()).toEqual(["10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5", "10.77.0.6"]);
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(3);
    await becomes("the failed are gone", () => readdirSync(net.layout.networkNamespaces).length === 5);
    for (const { containerId } of made) await net.service.release(containerId);
    await net.service.remove("tiny");
  });

  test("a chosen address is there for the next start, and neighbours learn its new MAC address at once", async () => {
    await using net = new TestNetwork();
    await net.service.recover([]);
    await net.service.create({ Name: "mine", ...chosen });
    const client = await net.service.allocate(request("client", { mode: "mine" }));
    for (const mac of ["02:00:00:00:00:11", "02:00:00:00:00:22", "02:00:00:00:00:33"]) {
      const box = await net.service.allocate(request("box", { mode: "mine", endpoints: at("10.77.0.9", mac) }));
      expect(box.endpoints[0]).toMatchObject({ ipAddress: "10.77.0.9", macAddress: mac });
      {
        await using _listener = await listen(box.netnsPath ?? "", "tcp", 80);
        expect(await ask(client.netnsPath, "tcp", "10.77.0.9", 80)).toBe(address(client));
      }
      const rival = net.service.allocate(request("rival", { mode: "mine", endpoints: at("10.77.0.9", "") }));
      await expect(rival).rejects.toMatchObject({
        kind: "forbidden",
        message: expect.stringMatching(/Address already in use$/),
      });
      await net.service.release(box.containerId);
    }
    await net.service.release(client.containerId);
    await becomes("all gone", () => readdirSync(net.layout.networkNamespaces).length === 0);
    await net.service.remove("mine");
  });

  test("after a kill the same rules, links and addresses are there, and nothing else", async () => {
    await using net = new TestNetwork({ warm: 2 });
    const first = net.service;
    await first.recover([]);
    await first.create({ Name: "apart", ...chosen, Options: { "com.docker.network.bridge.enable_icc": "false" } });
    const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }], "53/udp": [{ HostIp: "127.0.0.1", HostPort: "" }] };
    const one = await first.allocate(request("one", { ports, mode: "apart" }));
    const two = await first.allocate(request("two", { mode: "apart" }));
    const three = await first.allocate(request("three"));
    const kept = [one, two, three];
    const before = tableContent();
    const lost = await first.allocate(request("lost", { ports: { "81/tcp": [{ HostIp: "", HostPort: "8081" }] } }));
    await becomes("spares", () => links().length === 8);
    // The first daemon is forgotten, not closed, as after a kill. Then someone removes what it made.
    const device = links().find((name) => name.startsWith("bt-")) ?? "";
    {
      using netlink = Netlink.open(NETLINK_ROUTE);
      netlink.execute(deleteLink(device));
      using nft = new Nftables();
      nft.run(
        "cannot spoil the table",
        "delete table inet berth_test\nadd table inet berth_test { set stray { type ipv4_addr; }; }",
      );
    }
    const second = net.reopen();
    await second.recover(kept.map(({ containerId }) => containerId));
    expect(tableContent()).toEqual(before);
    expect(second.sandbox(lost.containerId)).toBeUndefined();
    for (const sandbox of kept) expect(second.sandbox(sandbox.containerId)).toEqual(sandbox);
    // Two bridges, three containers, two spares.
    await becomes("two new spares", () => links().length === 7);
    expect(readdirSync(net.layout.networkNamespaces)).toHaveLength(5);
    {
      await using _listener = await listen(one.netnsPath ?? "", "tcp", 80);
      expect(await ask(undefined, "tcp", "127.0.0.1", 8080)).toBe("10.77.0.1");
      expect(await ask(two.netnsPath, "tcp", address(one), 80)).not.toBe(address(two));
    }
    for (const { containerId } of kept) await second.release(containerId);
    await becomes("only spares", () => readdirSync(net.layout.networkNamespaces).length === 2);
    await second.remove("apart");
    await first.close();
  });
}
