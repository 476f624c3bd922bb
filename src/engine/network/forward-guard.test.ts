/** Firewalls of others that look at IPv6, beside networks that have it. */
import { beforeAll, expect, test } from "bun:test";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { Nftables } from "#linux/nftables.ts";
import { ask, listen } from "./peers.ts";
import { HOST_ADDRESS6, OUTSIDE_ADDRESS6, raiseHost, raiseOutside, TestNetwork } from "./private-network.ts";

if (inPrivateNetwork()) insideTests();
else test("beside others' IPv6 firewalls", () => rerunInPrivateNetwork(import.meta.path), 120_000);

const REQUEST = {
  containerId: "web".padEnd(64, "0"),
  name: "web",
  hostname: "web",
  mode: "dual",
  ports: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] },
};
const CLOSED = "chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; };";

/** Makes rules of somebody else, and removes their table when disposed of. */
function rules(table: string, content: string): Disposable {
  const run = (script: string): void => {
    using nft = new Nftables();
    nft.run("cannot change another's rules", script);
  };
  run(`table ${table} { ${content} };`);
  return { [Symbol.dispose]: () => run(`delete table ${table}`) };
}

function insideTests(): void {
  beforeAll(raiseHost);

  test("DOCKER-USER of ip6tables lets our packets pass while we have IPv6 networks, and no longer", async () => {
    using nft = new Nftables();
    using _docker = rules("ip6 filter", `chain DOCKER-USER { }; ${CLOSED}`);
    {
      await using net = new TestNetwork();
      await net.service.recover([]);
      // A network of IPv4 has nothing to do with it.
      expect(nft.list("chain ip6 filter berth_test")).toBeUndefined();
      await net.service.create({ Name: "dual", EnableIPv6: true });
      const web = await net.service.allocate(REQUEST);
      await using outside = await raiseOutside();
      await using _listener = await listen(web.netnsPath ?? "", "tcp", 80);
      expect(await ask(outside.path, "tcp", HOST_ADDRESS6, 8080)).toBe(OUTSIDE_ADDRESS6);
      expect(net.service.forwardWarnings()).toEqual([]);
      await net.service.release(REQUEST.containerId);
    }
    expect(nft.list("chain ip6 filter berth_test")).toBeUndefined();
    expect(nft.list("chain ip6 filter DOCKER-USER")).toBeDefined();
  });

  test("a chain of IPv6 that drops is told of, with the command that opens it, where we have such networks", async () => {
    using _manager = rules("ip6 filter", CLOSED.replace("jump DOCKER-USER; ", ""));
    await using net = new TestNetwork();
    await net.service.recover([]);
    expect(net.service.forwardWarnings()).toEqual([]);
    const { Id } = await net.service.create({ Name: "dual", EnableIPv6: true });
    const device = `bt-${Id.slice(0, 12)}`;
    expect(net.service.forwardWarnings()).toEqual([
      `the chain FORWARD of the nftables table ip6 filter drops what containers on ${device} send and receive; open it ` +
        `with: ip6tables -I FORWARD -i ${device} -j ACCEPT && ip6tables -I FORWARD -o ${device} -j ACCEPT`,
    ]);
  });
}
