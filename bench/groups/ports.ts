/** How long it takes to publish and to withdraw a port of a container that runs, which Docker cannot. */
import { berthAtMost, type Group, milliseconds } from "../metric.ts";
import type { Target } from "../target.ts";

const box = "bench-ports";
/** TCP, and UDP with its search for tracked flows. */
const ports = ["80/tcp", "53/udp"] as const;

const changes: Group = {
  name: "port_changes",
  only: "berth",
  metrics: [
    { name: "port_add", unit: "ms", better: "lower", bar: berthAtMost(5) },
    { name: "port_remove", unit: "ms", better: "lower", bar: berthAtMost(5) },
  ],
  runs: 20,
  warmup: 3,
  setup: async (target) => await target.start(await target.create(["sleep", "3600"], {}, box)),
  run: async (target, round) => {
    const port = ports[Math.abs(round) % ports.length] ?? ports[0];
    const Add = { [port]: [{ HostIp: "", HostPort: "" }] };
    const added = await milliseconds(() => change(target, { Add }));
    const removed = await milliseconds(() => change(target, { Remove: [{ Port: port }] }));
    return { port_add: added, port_remove: removed };
  },
  teardown: async (target) => await target.discard(box),
};

/** From the request to the whole answer. */
async function change(target: Target, PortBindings: object): Promise<void> {
  await target.wire.json("POST", `/containers/${box}/update`, { Changes: { PortBindings } });
}

export const portGroups: readonly Group[] = [changes];
