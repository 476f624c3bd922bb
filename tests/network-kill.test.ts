/**
 * kill -9 of the daemon at random moments of network work: what it answered holds, and what the kernel has is what the
 * next daemon tells. BERTH_NETWORK_KILL_ROUNDS sets the number of kills (100 for a full run), BERTH_KILL_SEED repeats the
 * moments of an earlier run.
 */
import { expect, test } from "bun:test";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { bridgePorts, publishedPorts, seenState, sorted, toldMembers, toldState } from "./harness/network-state.ts";
import { until } from "./harness/process.ts";
import { generator } from "./harness/random.ts";

const rounds = Number(process.env["BERTH_NETWORK_KILL_ROUNDS"] ?? 6);
const seed = Number(process.env["BERTH_KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const NETWORKS = ["area", "moor", "zone"];

test(
  `${rounds} kills during network work leave what was answered, and the kernel as it is told`,
  async () => {
    process.stdout.write(`BERTH_KILL_SEED=${seed}\n`);
    const random = generator(seed);
    await using engine = await startEngine();
    for (const Name of NETWORKS) await engine.wire.json("POST", "/networks/create", { Name });
    const workers: Worker[] = [];
    for (const NetworkMode of ["bridge", "bridge", "area", "zone"]) {
      const ports = {
        ExposedPorts: { "80/tcp": {} },
        PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      };
      const box = await engine.run(["sleep", "3600"], {
        ExposedPorts: ports.ExposedPorts,
        HostConfig: { NetworkMode, PortBindings: ports.PortBindings },
      });
      workers.push(new Worker(engine, box, NetworkMode, random));
    }
    for (let round = 0; round < rounds; round++) {
      const ends = new AbortController();
      const work = Promise.all([
        ...workers.map((worker) => worker.run(ends.signal)),
        networksComeAndGo(engine, round, ends.signal),
      ]);
      await Bun.sleep(20 + random() * 200);
      await engine.kill9();
      ends.abort();
      await work;
      await engine.start();
      await check(engine, round, workers);
    }
    for (const { box } of workers) await box.remove({ force: true });
    for (const { Id, Name } of await engine.wire.json<{ Id: string; Name: string }[]>("GET", "/networks")) {
      if (!["bridge", "host", "none"].includes(Name)) await engine.wire.bytes("DELETE", `/networks/${Id}`);
    }
    expect(await engine.leftovers()).toEqual([]);
  },
  60_000 + rounds * 10_000,
);

/** Puts a container into networks and takes it out, and remembers what was answered. */
class Worker {
  readonly box: Box;
  /** By network: whether it is in; undefined where a request got no answer. */
  readonly answered = new Map<string, boolean | undefined>();
  readonly #engine: Engine;
  readonly #random: () => number;

  constructor(engine: Engine, box: Box, first: string, random: () => number) {
    this.box = box;
    this.#engine = engine;
    this.#random = random;
    for (const name of NETWORKS) this.answered.set(name, name === first);
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const name = NETWORKS[Math.floor(this.#random() * NETWORKS.length)] ?? "";
      const joined = this.answered.get(name) === true;
      this.answered.set(name, undefined);
      const verb = joined ? "disconnect" : "connect";
      try {
        await this.#engine.wire.bytes("POST", `/networks/${name}/${verb}`, { body: { Container: this.box.id } });
      } catch {
        return;
      }
      this.answered.set(name, !joined);
    }
  }
}

async function networksComeAndGo(engine: Engine, round: number, signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    try {
      const { Id } = await engine.wire.json<{ Id: string }>("POST", "/networks/create", {
        Name: `passing${round}-${i}`,
      });
      await engine.wire.bytes("DELETE", `/networks/${Id}`);
    } catch {
      return;
    }
  }
}

async function check(engine: Engine, round: number, workers: readonly Worker[]): Promise<void> {
  const members = await toldMembers(engine);
  for (const { box, answered } of workers) {
    const told = await toldState(box);
    expect({ round, ...sorted(await seenState(box)) }).toEqual({ round, ...sorted(told) });
    for (const [name, joined] of answered) {
      const now = members[name]?.includes(box.id) ?? false;
      if (joined !== undefined) expect({ round, name, now }).toEqual({ round, name, now: joined });
      answered.set(name, now);
    }
    expect(Object.keys((await box.inspect()).NetworkSettings.Networks).toSorted()).toEqual(
      Object.keys(members)
        .filter((name) => members[name]?.includes(box.id))
        .toSorted(),
    );
  }
  // Each network has a bridge with a port per container; the default one has spares too, some time after the start.
  const counts = Object.entries(bridgePorts(engine)).flatMap(([device, count]) =>
    device === engine.bridge ? [] : [count],
  );
  const wanted = Object.entries(members).flatMap(([name, ids]) =>
    ["bridge", "host", "none"].includes(name) ? [] : [ids.length],
  );
  expect(counts.toSorted((a, b) => a - b)).toEqual(wanted.toSorted((a, b) => a - b));
  const out = workers.filter(({ box }) => Object.values(members).some((ids) => ids.includes(box.id)));
  await until("each container that leads out has its port", async () => publishedPorts(engine) === out.length);
}
