/** Runs a group on its daemons in turn, A B, B A, ..., so that what else the machine does meets both alike. */
import { output } from "../tests/harness/process.ts";
import { type Group, median, type Metric } from "./metric.ts";
import type { Side, Target } from "./target.ts";

export interface Samples {
  values: number[];
  failures: string[];
}

export interface Result {
  metric: Metric;
  sides: Partial<Record<Side, Samples>>;
}

export interface MeasureOptions {
  runs: number | undefined;
  /** Seconds. */
  settle: number;
  /** Milliseconds of rest before each run: longer after those of fifty containers or hundreds of megabytes. */
  pauses: { readonly short: number; readonly long: number };
  signal: AbortSignal;
}

/** A run that fails is written down and the rest goes on. Rejects only where the signal says to end. */
export async function measure(group: Group, all: readonly Target[], options: MeasureOptions): Promise<Result[]> {
  const targets = all.filter(({ side }) => group.only === undefined || group.only === side);
  const results = group.metrics.map((metric): Result => {
    const sides = targets.map(({ side }) => [side, { values: [], failures: [] }] as const);
    return { metric, sides: Object.fromEntries(sides) };
  });
  const fail = (target: Target, error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    for (const { sides } of results) sides[target.side]?.failures.push(why);
  };
  const ready: Target[] = [];
  try {
    for (const target of targets) {
      try {
        await group.setup?.(target);
        ready.push(target);
      } catch (error) {
        fail(target, error);
      }
    }
    const runs = options.runs ?? group.runs;
    for (let round = -(group.warmup ?? 0); round < runs; round++) {
      await group.prepare?.(round);
      await rest(group, round, options);
      for (const target of round % 2 === 0 ? ready : ready.toReversed()) {
        options.signal.throwIfAborted();
        // What a daemon still does after its answer is not the other's to pay.
        await Bun.sleep(short(group) ? options.pauses.short : options.pauses.long);
        try {
          const values = await group.run(target, round);
          options.signal.throwIfAborted();
          if (round < 0) continue;
          for (const { metric, sides } of results) {
            const value = values[metric.name];
            if (value === undefined) sides[target.side]?.failures.push(`the run gave no ${metric.name}`);
            else sides[target.side]?.values.push(value);
          }
        } catch (error) {
          options.signal.throwIfAborted();
          fail(target, error);
        }
      }
    }
  } finally {
    for (const target of targets) await group.teardown?.(target).catch((error: unknown) => fail(target, error));
  }
  return results;
}

/** Long ones are too costly for a run that does not count. */
function short(group: Group): boolean {
  return group.warmup !== undefined;
}

async function rest(group: Group, round: number, { settle, signal }: MeasureOptions): Promise<void> {
  if (group.settle === true && round === 0) {
    for (let second = 0; second < settle && !signal.aborted; second++) await Bun.sleep(1000);
  }
  // Long ones write a lot: what the last run left in memory is not the next one's to wait for.
  if (!short(group)) await output(["sync"], { timeout: 600_000 });
}

/** Berth's median divided by Docker's; undefined where one is missing, or not above zero as growth may be. */
export function ratio({ sides }: Result): number | undefined {
  const berth = middle(sides.berth);
  const docker = middle(sides.docker);
  if (berth === undefined || docker === undefined || berth <= 0 || docker <= 0) return undefined;
  return berth / docker;
}

/** The median; undefined where there is no value. */
export function middle(samples: Samples | undefined): number | undefined {
  return samples === undefined || samples.values.length === 0 ? undefined : median(samples.values);
}

/** Whether the bar is met; undefined where there is none or too little was measured. */
export function passes(result: Result): boolean | undefined {
  const { bar } = result.metric;
  if (bar === undefined) return undefined;
  const value = bar.of === "ratio" ? ratio(result) : middle(result.sides.berth);
  if (value === undefined) return undefined;
  return value <= (bar.most ?? Number.POSITIVE_INFINITY) && value >= (bar.least ?? Number.NEGATIVE_INFINITY);
}
