/** Published ports reached from every side, whatever the bridge filter says and whatever firewall is there. */
import { beforeAll, describe, expect, test } from "bun:test";
import { ask, listen } from "#engine/network/peers.ts";
import {
  bridgeFilterModes,
  HOST_ADDRESS,
  OUTSIDE_ADDRESS,
  raiseHost,
  raiseOutside,
  setBridgeFilter,
} from "#engine/network/private-network.ts";
import { patience } from "#lib/testing.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { Nftables } from "#linux/nftables.ts";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";
import { Reach } from "./harness/reach.ts";

if (inPrivateNetwork()) insideTests();
else test("published ports in a private network", () => rerunInPrivateNetwork(import.meta.path), 180_000 * patience);

function insideTests(): void {
  beforeAll(raiseHost);

  test("are reached by all who may, before and after the daemon was killed", async () => {
    await using engine = await startEngine();
    await using reach = await Reach.prepare(engine);
    for (const mode of bridgeFilterModes()) {
      setBridgeFilter(mode);
      await reach.check();
    }
    await engine.kill9();
    await engine.start();
    await reach.check();
  });

  describe("where another manager drops forwarded packets, the daemon says what opens it", () => {
    const managers = {
      "a table of its own": {
        rules: "table inet guard { chain gate { type filter hook forward priority filter; policy drop; }; }",
        chain: "the chain gate of the nftables table inet guard",
        command: (device: string) =>
          `nft insert rule inet guard gate iifname ${device} accept && nft insert rule inet guard gate oifname ${device} accept`,
      },
      "a table whose last rule rejects": {
        rules:
          "table inet guard { chain gate { type filter hook forward priority filter; ct state established accept; reject; }; }",
        chain: "the chain gate of the nftables table inet guard",
        command: (device: string) =>
          `nft insert rule inet guard gate iifname ${device} accept && nft insert rule inet guard gate oifname ${device} accept`,
      },
      "iptables with the policy DROP": {
        rules: "table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; }",
        chain: "the chain FORWARD of the nftables table ip filter",
        command: (device: string) =>
          `iptables -I FORWARD -i ${device} -j ACCEPT && iptables -I FORWARD -o ${device} -j ACCEPT`,
      },
      ufw: {
        rules: `table ip filter {
          chain ufw-user-forward { }
          chain FORWARD { type filter hook forward priority filter; policy drop; jump ufw-user-forward; }
        }`,
        chain: "the chain FORWARD of the nftables table ip filter",
        command: (device: string) => `ufw route allow in on ${device} && ufw route allow out on ${device}`,
      },
    };
    for (const [name, { rules, chain, command }] of Object.entries(managers)) {
      test(name, async () => {
        using nft = new Nftables();
        nft.run("cannot make the manager's rules", rules);
        try {
          await using engine = await startEngine();
          const said = async () =>
            (await engine.wire.json<{ Warnings: string[] | null }>("GET", "/info")).Warnings ?? [];
          const sentence = (device: string) =>
            `${chain} drops what containers on ${device} send and receive; open it with: ${command(device)}`;
          expect(await engine.log()).toContain(sentence(engine.bridge));
          expect(await said()).toEqual([sentence(engine.bridge)]);
          const box = await engine.run(["sleep", "600"], {
            HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "8080" }] } },
          });
          await using _listener = await listen(await box.namespace(), "tcp", 80);
          await using outside = await raiseOutside();
          // What does not pass through the forward hook works all the same.
          expect(await ask(undefined, "tcp", "127.0.0.1", 8080)).not.toBe("timeout");
          expect(await ask(outside.path, "tcp", HOST_ADDRESS, 8080)).not.toBe(OUTSIDE_ADDRESS);
          nft.run("cannot open the chain", opening(command(engine.bridge)));
          expect(await ask(outside.path, "tcp", HOST_ADDRESS, 8080)).toBe(OUTSIDE_ADDRESS);
          await until("the warning is gone", async () => (await said()).length === 0);
          await engine.wire.json("POST", "/networks/create", { Name: "later" });
          expect(await said()).toEqual([expect.stringContaining(chain)]);
        } finally {
          nft.run("cannot remove the manager's rules", `delete table ${rules.split(" ").slice(1, 3).join(" ")}`);
        }
      });
    }
  });
}

/** What the commands do, in the words of nft: neither it nor iptables nor ufw need be installed here. */
function opening(commands: string): string {
  return commands
    .split(" && ")
    .map((command) =>
      command
        .replace(/^nft /, "")
        .replace(/^iptables -I FORWARD -(i|o) (\S+) -j ACCEPT$/, `insert rule ip filter FORWARD $1ifname "$2" accept`)
        .replace(/^ufw route allow (i|o)\w+ on (\S+)$/, `insert rule ip filter ufw-user-forward $1ifname "$2" accept`),
    )
    .join("\n");
}
