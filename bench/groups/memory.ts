/** Memory of the daemon and everything that serves it, as PSS: shared pages count by their share. */
import { berthAtMost, type Group, type Metric, type Workshop } from "../metric.ts";
import { proportionalMegabytes } from "../processes.ts";

const metric = (name: string, bar?: Metric["bar"]): Metric => ({
  name,
  unit: "MB",
  better: "lower",
  ...(bar === undefined ? {} : { bar }),
});

/** After a change of load, before memory is read. */
const rest = () => Bun.sleep(2000);

const containers: Group = {
  name: "memory",
  metrics: [metric("mem_idle", berthAtMost(80)), metric("mem_per_container", berthAtMost(0.6))],
  runs: 3,
  run: async (target) => {
    await rest();
    const mem_idle = await proportionalMegabytes(target);
    const started = async (count: number) => {
      await target.startMany(
        Array.from({ length: count }, () => target.name()),
        8,
      );
      await rest();
      return await proportionalMegabytes(target);
    };
    try {
      // What is loaded and compiled with the first ones is not each one's cost.
      const before = await started(10);
      return { mem_idle, mem_per_container: ((await started(50)) - before) / 50 };
    } finally {
      await target.removeContainers();
    }
  },
};

/** The bar is for 2,000 rounds; fewer of them say less, so they are not held against it. */
function growth(workshop: Workshop): Group {
  return {
    name: "memory_growth",
    metrics: [metric("mem_growth", workshop.growthRounds >= 2000 ? berthAtMost(10) : undefined)],
    runs: 1,
    run: async (target) => {
      const rounds = async (count: number) => {
        for (let round = 0; round < count && !workshop.signal.aborted; round++) {
          const id = await target.create(["true"]);
          await target.start(id);
          await target.wait(id);
          await target.remove(id);
        }
        await rest();
        return await proportionalMegabytes(target);
      };
      // What is loaded and compiled with the first rounds is no growth.
      const before = await rounds(20);
      return { mem_growth: (await rounds(workshop.growthRounds)) - before };
    },
    teardown: (target) => target.removeContainers(),
  };
}

export const memoryGroups = (workshop: Workshop): readonly Group[] => [containers, growth(workshop)];
