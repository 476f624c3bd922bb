/** What a measurement is: named figures with a unit and a bar, and the group of steps that yields them in one run. */
import type { Side, Target } from "./target.ts";

/** `ratio` holds for Berth's median divided by Docker's, `berth` for Berth's median alone. */
export interface Bar {
  readonly of: "ratio" | "berth";
  readonly most?: number;
  readonly least?: number;
}

export interface Metric {
  readonly name: string;
  readonly unit: "ms" | "s" | "MB/s" | "MB" | "1/s" | "Gbit/s" | "%";
  readonly better: "lower" | "higher";
  readonly bar?: Bar;
}

/** One value for each metric of the group, under its name. */
export type Values = Record<string, number>;

export interface Group {
  readonly name: string;
  readonly metrics: readonly Metric[];
  /** Counted runs on each daemon, unless the command line says otherwise. */
  readonly runs: number;
  /** Runs ahead of them that are not counted. */
  readonly warmup?: number;
  /** Drives the docker client and has no other way; left out where there is none. */
  readonly needsDockerClient?: boolean;
  /** Left out where this is not installed on the host. */
  readonly needsProgram?: string;
  /** The only daemon that can do this. */
  readonly only?: Side;
  /** Unpacks many files: what was removed before must have aged, see docs/performance.md. */
  readonly settle?: boolean;
  /** Before each pair of runs, outside all timing. */
  prepare?(round: number): Promise<void>;
  setup?(target: Target): Promise<void>;
  /** Rejects where something did not work; what it created is gone either way, at the latest after `teardown`. */
  run(target: Target, round: number): Promise<Values>;
  teardown?(target: Target): Promise<void>;
}

/** What the groups share. */
export interface Workshop {
  /** For archives and pipes; removed at the end. */
  readonly folder: string;
  readonly growthRounds: number;
  readonly signal: AbortSignal;
}

export const atMost = (most: number): Bar => ({ of: "ratio", most });
export const atLeast = (least: number): Bar => ({ of: "ratio", least });
export const berthAtMost = (most: number): Bar => ({ of: "berth", most });

/** Milliseconds that `work` took. */
export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
