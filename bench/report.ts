/** Results as a table for people and as JSON for programs, with a description of the machine. */
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, loadavg, release, totalmem } from "node:os";
import { middle, passes, ratio, type Result, type Samples } from "./measure.ts";
import type { Target } from "./target.ts";

/** A Markdown table that reads well as plain text too. */
export function table(results: readonly Result[]): string {
  const head = ["metric", "unit", "Berth", "(min–max)", "Docker", "(min–max)", "ratio", "bar", ""];
  const rows = results.map((result) => {
    const { metric, sides } = result;
    const passed = passes(result);
    const verdict = passed === undefined ? "" : passed ? "pass" : "miss";
    const both = ratio(result);
    return [
      metric.name,
      metric.unit,
      ...cells(sides.berth),
      ...cells(sides.docker),
      both === undefined ? "" : both.toFixed(3),
      bar(result),
      verdict,
    ];
  });
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0), title.length),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, column) => (column < 2 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

function cells(samples: Samples | undefined): [string, string] {
  const value = middle(samples);
  if (samples === undefined) return ["", ""];
  if (value === undefined) return ["failed", ""];
  const part = samples.failures.length > 0 ? ` [${samples.failures.length} failed]` : "";
  return [figure(value) + part, `${figure(Math.min(...samples.values))}–${figure(Math.max(...samples.values))}`];
}

function figure(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function bar({ metric }: Result): string {
  if (metric.bar === undefined) return "";
  const { of, most, least } = metric.bar;
  return `${most === undefined ? `≥ ${least}` : `≤ ${most}`}${of === "berth" ? ` ${metric.unit}` : ""}`;
}

/** One line for each reason that something was not measured. */
export function failures(results: readonly Result[]): string[] {
  const reasons = results.flatMap(({ metric, sides }) =>
    Object.entries(sides).flatMap(([side, { failures }]) =>
      [...new Set(failures)].map((why) => ({ metric: metric.name, reason: `${side}: ${why}` })),
    ),
  );
  return Object.entries(Object.groupBy(reasons, ({ reason }) => reason)).map(
    ([reason, entries = []]) => `${entries.map(({ metric }) => metric).join(", ")} failed on ${reason}`,
  );
}

export interface Surroundings {
  processor: string;
  processors: number;
  memoryGiB: number;
  system: string;
  kernel: string;
  fileSystem: string;
  loadAtStart: number;
}

export function surroundings(work: string): Surroundings {
  const fileSystems: Record<number, string> = {
    0xef53: "ext4",
    0x58465342: "xfs",
    0x9123683e: "btrfs",
    0x01021994: "tmpfs",
  };
  const type = statfsSync(work).type;
  return {
    processor: /^model name\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? process.arch,
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux",
    kernel: release(),
    fileSystem: fileSystems[type] ?? `type 0x${type.toString(16)}`,
    loadAtStart: loadavg()[0] ?? 0,
  };
}

export function describe(machine: Surroundings): string {
  const { processors, processor, memoryGiB, system, kernel, fileSystem, loadAtStart } = machine;
  const load = `load ${loadAtStart.toFixed(1)} at the start`;
  return `${processors} × ${processor}, ${memoryGiB} GiB, ${system}, kernel ${kernel}, ${fileSystem}, ${load}`;
}

export function json(results: readonly Result[], targets: readonly Target[], machine: Surroundings): string {
  const metrics = results.map((result) => {
    const { metric, sides } = result;
    const measured = Object.entries(sides).map(([side, samples]) => [side, { median: middle(samples), ...samples }]);
    return { ...metric, ...Object.fromEntries(measured), ratio: ratio(result), pass: passes(result) };
  });
  const versions = Object.fromEntries(targets.map(({ side, version }) => [side, version]));
  return `${JSON.stringify({ date: new Date().toISOString(), machine, versions, metrics }, null, 1)}\n`;
}
