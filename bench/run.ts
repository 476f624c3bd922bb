/** `bun run bench`: starts the daemons, measures them in turn, prints the table and takes everything away again. */
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { busyboxArchive } from "../tests/harness/image.ts";
import { output } from "../tests/harness/process.ts";
import { burst } from "./groups/burst.ts";
import { commit } from "./groups/commit.ts";
import { containerGroups } from "./groups/container.ts";
import { copy } from "./groups/copy.ts";
import { load } from "./groups/load.ts";
import { memoryGroups } from "./groups/memory.ts";
import { networkGroups } from "./groups/network.ts";
import { outputGroups } from "./groups/output.ts";
import { portGroups } from "./groups/ports.ts";
import { throughputGroups } from "./groups/throughput.ts";
import { image } from "./image.ts";
import { type Launched, launchBerth, launchDocker, type Places } from "./launch.ts";
import { measure, type Result } from "./measure.ts";
import type { Group, Workshop } from "./metric.ts";
import { type Options, parseOptions } from "./options.ts";
import { listener } from "./processes.ts";
import { describe, failures, json, surroundings, table } from "./report.ts";
import { type Side, Target } from "./target.ts";

const root = join(import.meta.dir, "..");
const program = join(root, "dist/berth");
const pauses = { short: 250, long: 2000 } as const;

/** Memory first, while the daemons are young; loading last, when nothing more is removed before it. */
function groupsOf(workshop: Workshop): readonly Group[] {
  return [
    ...memoryGroups(workshop),
    ...containerGroups,
    burst,
    ...networkGroups,
    ...portGroups,
    ...throughputGroups,
    ...outputGroups(workshop),
    commit,
    copy(workshop),
    load(workshop),
  ];
}

function choose(groups: readonly Group[], only: readonly string[]): readonly Group[] {
  const names = (group: Group) => [group.name, ...group.metrics.map((metric) => metric.name)];
  const unknown = only.filter((name) => !groups.some((group) => names(group).includes(name)));
  if (unknown.length > 0) throw new Error(`no such metric: ${unknown.join(", ")} (--list names them)`);
  return only.length === 0 ? groups : groups.filter((group) => names(group).some((name) => only.includes(name)));
}

/** What a group needs and this machine does not have. */
function missingFor({ needsDockerClient, needsProgram }: Group, docker: string | null): string | undefined {
  if (docker === null && needsDockerClient === true) return "docker client";
  return needsProgram !== undefined && Bun.which(needsProgram) === null ? needsProgram : undefined;
}

async function openTargets(
  options: Options,
  places: Places,
  docker: string | null,
  undo: AsyncDisposableStack,
): Promise<Target[]> {
  const targets: Target[] = [];
  const open = async (side: Side, launched: Launched, borrowed: boolean) => {
    const ownClient = side === "berth" ? program : docker;
    const target = await Target.open({ side, ...launched, docker, ownClient, folder: places.work });
    undo.defer(async () => {
      await target.removeContainers();
      if (borrowed) await target.removeImages();
    });
    await target.removeContainers();
    const archive = join(places.work, "busybox.tar");
    await Bun.write(archive, await busyboxArchive(image));
    await target.client.load(archive);
    targets.push(target);
  };
  const borrow = async (socket: string, mark: string): Promise<Launched> => {
    return { socket, pid: await listener(socket), mark };
  };
  if (options.berth === undefined) await open("berth", await launchBerth(program, places, undo), false);
  else await open("berth", await borrow(options.berth, `${dirname(options.berth)}/`), true);
  if (options.docker !== undefined) await open("docker", await borrow(options.docker, "containerd"), true);
  else if (!options.noDocker && Bun.which("dockerd") === null)
    console.error("dockerd is not installed, so only Berth is measured. To compare: apt-get install docker.io");
  else if (!options.noDocker) await open("docker", await launchDocker(places, undo), false);
  return targets;
}

async function bench(options: Options, signal: AbortSignal): Promise<boolean> {
  await using undo = new AsyncDisposableStack();
  const places: Places = {
    work: await mkdtemp(join(options.work, "berth-bench-")),
    run: await mkdtemp("/run/berth-bench-"),
  };
  for (const place of Object.values(places)) undo.defer(() => rm(place, { recursive: true }));
  const workshop = { folder: places.work, growthRounds: options.growthRounds, signal };
  const groups = choose(groupsOf(workshop), options.only);
  const machine = surroundings(places.work);
  const docker = Bun.which("docker");
  const targets = await openTargets(options, places, docker, undo);

  console.log(targets.map(({ side, version }) => `${side} ${version}`).join(", "));
  console.log(`${describe(machine)}\n`);
  const results: Result[] = [];
  const leftOut: string[] = [];
  for (const group of groups) {
    signal.throwIfAborted();
    const missing = missingFor(group, docker);
    if (missing !== undefined) {
      leftOut.push(`${group.name} (there is no ${missing})`);
      continue;
    }
    console.error(`measuring ${group.metrics.map((metric) => metric.name).join(", ")}`);
    const { runs, settle } = options;
    results.push(...(await measure(group, targets, { runs, settle, pauses, signal })));
    if (options.json !== undefined) await Bun.write(options.json, json(results, targets, machine));
  }
  console.log(table(results));
  const failed = failures(results);
  for (const line of failed) console.log(line);
  if (leftOut.length > 0) console.log(`Left out: ${leftOut.join(", ")}`);
  return failed.length === 0;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) return 0;
  if (options.list) {
    const workshop = { folder: "", growthRounds: 2000, signal: new AbortController().signal };
    for (const { name, metrics } of choose(groupsOf(workshop), options.only))
      console.log(`${name.padEnd(16)} ${metrics.map((metric) => metric.name).join(", ")}`);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error("the bench starts daemons, which needs root: sudo bun run bench");
  await output(["bash", "-c", ". scripts/lib.sh && build_if_changed"], { cwd: root, timeout: 300_000 });
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      console.error(`${name}: cleaning up`);
      stop.abort(new Error(`ended by ${name}`));
    });
  }
  return (await bench(options, stop.signal)) ? 0 : 1;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
