/** Ports that go while the host tracks many flows: nobody waits for the search among them. */
import { beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { listen } from "#engine/network/peers.ts";
import { HOST_ADDRESS, raiseHost, raiseOutside } from "#engine/network/private-network.ts";
import { patience } from "#lib/testing.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { change } from "./harness/change.ts";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

/** Ports published and withdrawn at once: searching for each on its own would take seconds. */
const FIRST = 20_000;
const COUNT = 200;
const FLOWS = 50_000;
/** Of the range of ports without a service, to keep clear of those above. */
const FILLER = 1024;

if (inPrivateNetwork()) insideTests();
else test("ports that go among many flows", () => rerunInPrivateNetwork(import.meta.path), 120_000 * patience);

function insideTests(): void {
  beforeAll(raiseHost);

  test("200 UDP ports are withdrawn among 50,000 flows while others are answered", async () => {
    await using engine = await startEngine();
    await using outside = await raiseOutside();
    const last = FIRST + COUNT - 1;
    const box = await engine.run(["sleep", "600"], {
      HostConfig: {
        PortBindings: Object.fromEntries(
          Array.from({ length: COUNT }, (_, i) => [`${FIRST + i}/udp`, [{ HostIp: "", HostPort: String(FIRST + i) }]]),
        ),
      },
    });
    await using _listener = await listen(await box.namespace(), "udp", FIRST, last);
    // The table is as large as the kernel lets it be; where that is less, what is in it counts.
    const limit = Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_max", "utf8"));
    const flows = Math.min(FLOWS, Math.floor(limit * 0.7));
    await fill(outside.path, flows);
    const tracked = () => Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_count", "utf8"));
    expect(tracked()).toBeGreaterThanOrEqual(flows);
    const before = tracked();
    await send(outside.path, [FIRST, last]);
    expect(tracked()).toBe(before + 2);

    const waits: number[] = [];
    const done = new AbortController();
    const pings = (async () => {
      while (!done.signal.aborted) {
        const begun = performance.now();
        await engine.wire.bytes("GET", "/_ping");
        waits.push(performance.now() - begun);
      }
    })();
    const Remove = Array.from({ length: COUNT }, (_, i) => ({ Port: `${FIRST + i}/udp` }));
    await change(engine, box, { PortBindings: { Remove } });
    await until("the flows to the ports are forgotten", async () => tracked() <= before);
    done.abort();
    await pings;
    expect(tracked()).toBeGreaterThanOrEqual(flows);
    expect(waits.length).toBeGreaterThan(5);
    // Measured: 75 ms; with a search on the main thread for each port ten seconds.
    expect(Math.max(...waits)).toBeLessThan(300 * patience);
  });
}

/** Makes the host track flows to its own ports, where nobody listens. */
async function fill(from: string, flows: number): Promise<void> {
  const program = `const flows = ${flows};
    const sockets = [];
    for (let done = 0; done < flows;) {
      const socket = await Bun.udpSocket({ socket: { data() {}, error() {} } });
      sockets.push(socket);
      for (let port = ${FILLER}; port < ${FIRST} && done < flows; port++, done++)
        while (!sent(socket, port)) await new Promise((resolve) => setImmediate(resolve));
    }
    // The refusal of an earlier one is told instead of sending the next.
    function sent(socket, port) {
      try { return socket.send("x", port, "${HOST_ADDRESS}"); }
      catch (error) { if (error.code === "ECONNREFUSED") return false; throw error; }
    }
    process.exit(0);`;
  await inside(from, program);
}

async function send(from: string, ports: readonly number[]): Promise<void> {
  await inside(
    from,
    `const socket = await Bun.udpSocket({ socket: { data() { if (--missing === 0) process.exit(0); }, error() {} } });
    const ports = ${JSON.stringify(ports)};
    let missing = ports.length;
    for (const port of ports) socket.send("x", port, "${HOST_ADDRESS}");`,
  );
}

async function inside(namespace: string, program: string): Promise<void> {
  const child = Bun.spawn(["nsenter", `--net=${namespace}`, process.execPath, "-e", program], {
    stdout: "inherit",
    stderr: "inherit",
  });
  expect(await child.exited).toBe(0);
}
