/** The rule sets of docs/firewall.md, loaded from the page, with clients at real sockets. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askAll, listen, type Question } from "#engine/network/peers.ts";
import {
  HOST_ADDRESS,
  HOST_ADDRESS6,
  OUTSIDE_ADDRESS,
  OUTSIDE_ADDRESS6,
  raiseHost,
  raiseOutside,
  withHostAddresses,
} from "#engine/network/private-network.ts";
import { patience } from "#lib/testing.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { Nftables } from "#linux/nftables.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

/** Ports of the host; the container's are 80 and 81. */
const [LIMITED, OTHER] = [8080, 8081];
/** Where machines listen. */
const MACHINE_PORT = 7;
const SECOND_ADDRESS = "10.212.0.8";
/** On a network of its own, which the host forwards to. */
const BEHIND = { gateway: "10.214.0.1", address: "10.214.0.9" };

if (inPrivateNetwork()) insideTests();
else test("the rule sets of docs/firewall.md", () => rerunInPrivateNetwork(import.meta.path), 180_000 * patience);

interface Scene {
  engine: Engine;
  bridge: string;
  box: Box;
  /** Namespaces; `behind` is reached only through the host. */
  first: string;
  second: string;
  behind: string;
}

function insideTests(): void {
  const open = new AsyncDisposableStack();
  let scene: Scene;

  beforeAll(async () => {
    raiseHost();
    open.use(withHostAddresses(`${BEHIND.gateway}/24`));
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    const first = open.use(await raiseOutside()).path;
    const second = open.use(await raiseOutside([SECOND_ADDRESS], [HOST_ADDRESS])).path;
    const behind = open.use(await raiseOutside([BEHIND.address], [BEHIND.gateway])).path;
    for (const path of [first, behind]) open.use(await listen(path, "tcp", MACHINE_PORT));
    const engine = open.use(await startEngine());
    await engine.wire.json("POST", "/networks/create", { Name: "dual", EnableIPv6: true });
    const { Id } = await engine.wire.json<{ Id: string }>("GET", "/networks/dual");
    const bind = (port: number) => [{ HostIp: "", HostPort: String(port) }];
    const box = await engine.run(["sleep", "600"], {
      HostConfig: { NetworkMode: "dual", PortBindings: { "80/tcp": bind(LIMITED), "81/tcp": bind(OTHER) } },
    });
    open.use(await listen(await box.namespace(), "tcp", 80, 81));
    scene = { engine, bridge: `bt-${Id.slice(0, 12)}`, box, first, second, behind };
  });

  afterAll(async () => {
    await scene.box.remove({ force: true });
    await scene.engine.wire.bytes("DELETE", "/networks/dual");
    await open.disposeAsync();
  });

  test("without any, all is open and the host forwards", async () => {
    await expectAnswers(scene.first, {
      [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS,
      [`${HOST_ADDRESS6} ${LIMITED}`]: OUTSIDE_ADDRESS6,
      [`${BEHIND.address} ${MACHINE_PORT}`]: OUTSIDE_ADDRESS,
    });
  });

  test("by-source: one machine is let in, the other not, and IPv6 not at all", async () => {
    using _rules = rules(page("by-source", { "10.0.0.0/8": OUTSIDE_ADDRESS }), "table inet limits");
    await Promise.all([
      expectAnswers(scene.first, {
        [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS,
        [`${HOST_ADDRESS6} ${LIMITED}`]: "timeout",
        [`${HOST_ADDRESS6} ${OTHER}`]: OUTSIDE_ADDRESS6,
      }),
      expectAnswers(scene.second, {
        [`${HOST_ADDRESS} ${LIMITED}`]: "timeout",
        [`${HOST_ADDRESS} ${OTHER}`]: SECOND_ADDRESS,
      }),
    ]);
  });

  test("by-interface: machines behind another one are shut out, the containers and the host are not", async () => {
    const { bridge, box, first } = scene;
    const names = { berth0: bridge };
    const own = (await box.inspect()).NetworkSettings.Networks["dual"];
    using nft = new Nftables();
    using _rules = rules(page("by-interface", { ...names, eth1: "host0" }), "table inet limits");
    await expectAnswers(first, { [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS });
    nft.run("cannot start anew", "delete table inet limits");
    nft.run("cannot limit", page("by-interface", names));
    await Promise.all([
      expectAnswers(first, {
        [`${HOST_ADDRESS} ${LIMITED}`]: "timeout",
        [`${HOST_ADDRESS6} ${OTHER}`]: "timeout",
        [`${BEHIND.address} ${MACHINE_PORT}`]: OUTSIDE_ADDRESS,
      }),
      expectAnswers(await box.namespace(), {
        [`${HOST_ADDRESS} ${LIMITED}`]: own?.Gateway ?? "",
        [`${OUTSIDE_ADDRESS} ${MACHINE_PORT}`]: HOST_ADDRESS,
      }),
      expectAnswers(undefined, { [`127.0.0.1 ${LIMITED}`]: own?.Gateway ?? "" }),
    ]);
  });

  test("drop-policy: what it names works, and what else the host might forward does not", async () => {
    using _rules = rules(page("drop-policy", { berth0: scene.engine.bridge }), "table inet filter");
    await Promise.all([
      expectAnswers(scene.first, {
        [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS,
        [`${HOST_ADDRESS6} ${LIMITED}`]: OUTSIDE_ADDRESS6,
        [`${HOST_ADDRESS} ${OTHER}`]: "timeout",
        [`${BEHIND.address} ${MACHINE_PORT}`]: "timeout",
      }),
      expectAnswers(await scene.box.namespace(), { [`${OUTSIDE_ADDRESS} ${MACHINE_PORT}`]: HOST_ADDRESS }),
    ]);
    // The pattern bt-* names the network, too.
    expect(await warningsAfterRestart(scene.engine)).toEqual([]);
  });

  test("ufw: its rules open the container's way out and the way in for one machine", async () => {
    using _base = rules(
      `table ip filter {
        chain ufw-before-forward { ct state established,related accept; }
        chain ufw-user-forward { }
        chain FORWARD {
          type filter hook forward priority filter; policy drop;
          jump ufw-before-forward
          jump ufw-user-forward
        }
      }`,
      "table ip filter",
    );
    expect(await warningsAfterRestart(scene.engine)).toEqual([expect.stringContaining("ufw route allow in on")]);
    const closed = { [`${HOST_ADDRESS} ${LIMITED}`]: "timeout", [`${BEHIND.address} ${MACHINE_PORT}`]: "timeout" };
    await expectAnswers(scene.first, closed);
    using nft = new Nftables();
    nft.run("cannot open", page("ufw", { berth0: scene.bridge, "10.0.0.0/8": OUTSIDE_ADDRESS }));
    await Promise.all([
      expectAnswers(scene.first, { ...closed, [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS }),
      expectAnswers(scene.second, closed),
      expectAnswers(await scene.box.namespace(), { [`${OUTSIDE_ADDRESS} ${MACHINE_PORT}`]: HOST_ADDRESS }),
    ]);
  });

  test("firewalld: published ports are open, the zone opens the way out, a table of one's own limits", async () => {
    using _base = rules(
      `table inet firewalld {
        chain filter_FORWARD_ZONES { }
        chain filter_FORWARD {
          type filter hook forward priority filter + 10; policy accept;
          ct state { established, related } accept
          ct status dnat accept
          iifname "lo" accept
          jump filter_FORWARD_ZONES
          reject with icmpx admin-prohibited
        }
      }`,
      "table inet firewalld",
    );
    const { engine, bridge, box, first, second } = scene;
    const [warning = ""] = await warningsAfterRestart(engine);
    expect(warning).toContain(`firewall-cmd --permanent --zone=trusted --add-interface=${bridge}`);
    const inside = await box.namespace();
    const out = `${OUTSIDE_ADDRESS} ${MACHINE_PORT}`;
    await Promise.all([
      expectAnswers(first, {
        [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS,
        [`${BEHIND.address} ${MACHINE_PORT}`]: "refused",
      }),
      expectAnswers(inside, { [out]: "refused" }),
    ]);
    using nft = new Nftables();
    nft.run("cannot trust", `add rule inet firewalld filter_FORWARD_ZONES iifname "${bridge}" accept`);
    using _limits = rules(page("by-source", { "10.0.0.0/8": OUTSIDE_ADDRESS }), "table inet limits");
    await Promise.all([
      expectAnswers(inside, { [out]: HOST_ADDRESS }),
      expectAnswers(first, {
        [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS,
        [`${BEHIND.address} ${MACHINE_PORT}`]: "refused",
      }),
      expectAnswers(second, { [`${HOST_ADDRESS} ${LIMITED}`]: "timeout" }),
    ]);
  });

  test("docker-user: Berth opens its bridges behind the rules that are there, and nothing else", async () => {
    using _base = rules(
      `table ip filter {
        chain DOCKER-USER { counter return; }
        chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
      }`,
      "table ip filter",
    );
    const { engine, box, first, second } = scene;
    expect(await warningsAfterRestart(engine)).toEqual([]);
    using nft = new Nftables();
    nft.run("cannot limit", page("docker-user", { "10.0.0.0/8": OUTSIDE_ADDRESS }));
    await Promise.all([
      expectAnswers(first, {
        [`${HOST_ADDRESS} ${LIMITED}`]: OUTSIDE_ADDRESS,
        [`${BEHIND.address} ${MACHINE_PORT}`]: "timeout",
      }),
      expectAnswers(second, {
        [`${HOST_ADDRESS} ${LIMITED}`]: "timeout",
        [`${HOST_ADDRESS} ${OTHER}`]: SECOND_ADDRESS,
      }),
      expectAnswers(await box.namespace(), { [`${OUTSIDE_ADDRESS} ${MACHINE_PORT}`]: HOST_ADDRESS }),
    ]);
  });
}

/** A block of the page, with the names and addresses that this test has in the place of the page's. */
function page(name: string, replaced: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(import.meta.dir, "../docs/firewall.md"), "utf8");
  let block = new RegExp(`^\`\`\`nft ${name}\n(.*?)^\`\`\`$`, "ms").exec(text)?.[1];
  if (block === undefined) throw new Error(`docs/firewall.md has no block ${name}`);
  for (const [from, to] of Object.entries(replaced)) {
    if (!block.includes(from)) throw new Error(`the block ${name} has no ${from}`);
    block = block.replaceAll(from, to);
  }
  return block;
}

/** Rules until disposed of, with the table that they are in. */
function rules(script: string, table: string): Disposable {
  using nft = new Nftables();
  nft.run("cannot make the rules", script);
  return {
    [Symbol.dispose]() {
      using remover = new Nftables();
      remover.run("cannot remove the rules", `delete ${table}`);
    },
  };
}

/** What the daemon says of other firewalls, once it has looked at all. */
async function warningsAfterRestart(engine: Engine): Promise<string[]> {
  await engine.stop();
  await engine.start();
  return (await engine.wire.json<{ Warnings: string[] | null }>("GET", "/info")).Warnings ?? [];
}

/** `expected` has "ADDRESS PORT" for keys. */
async function expectAnswers(from: string | undefined, expected: Readonly<Record<string, string>>): Promise<void> {
  const questions = Object.keys(expected).map((key): Question => {
    const [address = "", port] = key.split(" ");
    return ["tcp", address, Number(port)];
  });
  const answers = await askAll(from, questions);
  expect(Object.fromEntries(Object.keys(expected).map((key, i) => [key, answers[i]]))).toEqual(expected);
}
