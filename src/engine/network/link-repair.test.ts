/** What a running daemon does when somebody removes what it made. */
import { beforeAll, expect, test } from "bun:test";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { deleteLink, findLink, listLinks } from "#linux/netlink-link.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { Nftables } from "#linux/nftables.ts";
import { ask, listen } from "./peers.ts";
import { HOST_ADDRESS, raiseHost, TestNetwork } from "./private-network.ts";
import type { SandboxRequest } from "./types.ts";

if (inPrivateNetwork()) insideTests();
else test("bridges and rules that were removed come back", () => rerunInPrivateNetwork(import.meta.path), 120_000);

function request(name: string, mode: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { containerId: `${name}-`.padEnd(64, "0"), name, hostname: name, mode, ...more };
}

async function becomes(what: string, probe: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!probe()) {
    if (performance.now() > deadline) throw new Error(`in vain: ${what}`);
    await Bun.sleep(20);
  }
}

function insideTests(): void {
  beforeAll(raiseHost);

  test("with containers, ports and spares in them", async () => {
    await using net = new TestNetwork({ warm: 2 });
    const { service } = net;
    await service.recover([]);
    await service.create({ Name: "area" });
    const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }] };
    const web = await service.allocate(request("web", "area", { ports }));
    const other = await service.allocate(request("other", "area"));
    await using _listener = await listen(web.netnsPath ?? "", "tcp", 80);
    using netlink = Netlink.open(NETLINK_ROUTE);
    const portsOf = (device: string) => {
      const index = findLink(netlink, device)?.index;
      return index === undefined
        ? 0
        : listLinks(netlink, { master: index }).filter(({ kind }) => kind === "veth").length;
    };
    const area = listLinks(netlink).find(({ name }) => name.startsWith("bt-"))?.name ?? "";
    await becomes("two spares", () => portsOf("test0") === 2);
    for (const device of [area, "test0"]) netlink.execute(deleteLink(device));
    using nft = new Nftables();
    nft.run("cannot flush", "flush ruleset");
    await becomes("the bridges have their ports", () => portsOf(area) === 2 && portsOf("test0") === 2);
    await becomes("the table is there", () => nft.list("chain inet berth_test publish") !== undefined);
    const [address = ""] = web.endpoints.map(({ ipAddress }) => ipAddress);
    expect(await ask(other.netnsPath, "tcp", address, 80)).toBe(other.endpoints[0]?.ipAddress ?? "");
    expect(await ask(undefined, "tcp", HOST_ADDRESS, 8080)).toBe(HOST_ADDRESS);
    const fresh = await service.allocate(request("fresh", "bridge"));
    expect(await ask(fresh.netnsPath, "tcp", HOST_ADDRESS, 8080)).not.toBe("timeout");
    for (const { containerId } of [web, other, fresh]) await service.release(containerId);
    await service.remove("area");
  });
}
