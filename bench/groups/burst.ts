/** Fifty containers at once: starting them eight at a time, listing and measuring them, removing them by one command. */
import { atMost, type Group, median, milliseconds } from "../metric.ts";

export const burst: Group = {
  name: "burst50",
  metrics: [
    { name: "burst50_start", unit: "s", better: "lower", bar: atMost(0.15) },
    { name: "ps_with_50", unit: "ms", better: "lower", bar: atMost(1) },
    { name: "stats_with_50", unit: "s", better: "lower", bar: atMost(0.2) },
    { name: "burst50_rm_f", unit: "s", better: "lower", bar: atMost(0.2) },
  ],
  runs: 5,
  run: async (target) => {
    const names = Array.from({ length: 50 }, () => target.name());
    try {
      const burst50_start = (await milliseconds(() => target.startMany(names, 8))) / 1000;
      const listings: number[] = [];
      for (let round = 0; round < 3; round++) {
        const listing = await milliseconds(async () => {
          const count = await target.client.count();
          if (count < names.length) throw new Error(`ps lists ${count} containers, not ${names.length}`);
        });
        listings.push(listing);
      }
      const stats_with_50 = (await milliseconds(() => target.client.stats(names))) / 1000;
      const burst50_rm_f = (await milliseconds(() => target.client.removeRunning(names))) / 1000;
      return { burst50_start, ps_with_50: median(listings), stats_with_50, burst50_rm_f };
    } finally {
      await target.removeContainers();
    }
  },
};
