/** Ports that daemons choose, or share by address, while others choose from the same few. */
import { beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { ask, listen } from "#engine/network/peers.ts";
import { raiseHost } from "#engine/network/private-network.ts";
import { patience } from "#lib/testing.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

if (inPrivateNetwork()) insideTests();
else test("random ports in a private network", () => rerunInPrivateNetwork(import.meta.path), 180_000 * patience);

/** Few more than are wanted, so that the daemons meet all the time. */
const FREE = { first: 20_000, last: 20_219 };
const STARTS = 100;
const PORTS = 1;

function insideTests(): void {
  beforeAll(raiseHost);

  test("200 are chosen at once by two daemons from 220, none twice, and all inside the host's range", async () => {
    writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", `${FREE.first} ${FREE.last}`);
    await using first = await startEngine();
    await using second = await startEngine();
    const HostConfig = {
      PortBindings: Object.fromEntries(
        Array.from({ length: PORTS }, (_, i) => [`${80 + i}/tcp`, [{ HostIp: "", HostPort: "" }]]),
      ),
    };
    const start = async (engine: Engine) => {
      const box = await engine.run(["sleep", "600"], { HostConfig });
      const { Ports } = (await box.inspect()).NetworkSettings;
      return Object.values(Ports).map((list) => new Set(list?.map(({ HostPort }) => Number(HostPort))));
    };
    const engines = Array.from({ length: STARTS }, () => [first, second]).flat();
    const chosen = (await Promise.all(engines.map(start))).flat();
    // A port is the same one in both families.
    expect(chosen.every((ports) => ports.size === 1)).toBe(true);
    const ports = chosen.flatMap((set) => [...set]);
    expect(ports).toHaveLength(2 * STARTS * PORTS);
    expect(new Set(ports).size).toBe(ports.length);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(FREE.first);
    expect(Math.max(...ports)).toBeLessThanOrEqual(FREE.last);
  });

  test("two daemons publish the same port on different addresses", async () => {
    await using first = await startEngine();
    await using second = await startEngine();
    const publish = async (engine: Engine, HostIp: string) => {
      const box = await engine.run(["sleep", "600"], {
        HostConfig: { PortBindings: { "80/tcp": [{ HostIp, HostPort: "8080" }] } },
      });
      return {
        listener: await listen(await box.namespace(), "tcp", 80),
        gateway: (await box.inspect()).NetworkSettings.Gateway,
      };
    };
    const one = await publish(first, "127.0.0.1");
    const two = await publish(second, "127.0.0.2");
    await using _one = one.listener;
    await using _two = two.listener;
    expect(one.gateway).not.toBe(two.gateway);
    // Each container sees its own daemon's bridge.
    expect(await ask(undefined, "tcp", "127.0.0.1", 8080)).toBe(one.gateway);
    expect(await ask(undefined, "tcp", "127.0.0.2", 8080)).toBe(two.gateway);
    expect(await ask(undefined, "tcp", "127.0.0.3", 8080)).toBe("refused");
  });
}
