/** Containers on a network of their own: how long a short one takes there, and how fast their names are answered. */
import { join } from "node:path";
import { output } from "../../tests/harness/process.ts";
import { atMost, type Group, milliseconds } from "../metric.ts";
import type { Target } from "../target.ts";

const network = "bench-network";
const box = "bench-named";

const startToExit: Group = {
  name: "network_start_to_exit",
  metrics: [{ name: "network_start_to_exit", unit: "ms", better: "lower", bar: atMost(0.25) }],
  runs: 10,
  warmup: 1,
  setup: createNetwork,
  run: async (target) => {
    const id = await target.create(["true"], { HostConfig: { NetworkMode: network } });
    try {
      const ended = target.wait(id, "next-exit");
      // Docker says nothing when a wait is registered; a start that comes too early would be missed.
      await Bun.sleep(20);
      return { network_start_to_exit: await milliseconds(() => Promise.all([target.start(id), ended])) };
    } finally {
      await target.discard(id);
    }
  },
  teardown: removeNetwork,
};

const queries: Group = {
  name: "dns",
  metrics: [{ name: "dns_queries_per_s", unit: "1/s", better: "higher", bar: { of: "berth", least: 20_000 } }],
  runs: 5,
  setup: async (target) => {
    await createNetwork(target);
    await target.start(await target.create(["sleep", "3600"], { HostConfig: { NetworkMode: network } }, box));
  },
  run: async (target) => {
    const { State } = await target.wire.json<{ State: { Pid: number } }>("GET", `/containers/${box}/json`);
    const program = [process.execPath, join(import.meta.dir, "../dns-load.ts"), box];
    const rate = await output(["nsenter", `--net=/proc/${State.Pid}/ns/net`, ...program]);
    return { dns_queries_per_s: Number(rate) };
  },
  teardown: async (target) => {
    await target.discard(box);
    await removeNetwork(target);
  },
};

async function createNetwork(target: Target): Promise<void> {
  await removeNetwork(target);
  await target.wire.json("POST", "/networks/create", { Name: network });
}

async function removeNetwork(target: Target): Promise<void> {
  const answer = await target.wire.send("DELETE", `/networks/${network}`);
  await answer.bytes();
}

export const networkGroups: readonly Group[] = [startToExit, queries];
