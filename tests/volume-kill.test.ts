/** Daemons killed in the middle of mounting and unmounting volumes: what runs keeps its files, and nothing else stays. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { patience } from "#lib/testing.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

/** BERTH_KILL_ROUNDS makes it a longer run. */
const rounds = Number(process.env["BERTH_KILL_ROUNDS"] ?? 6);
const volumes = ["small", "memory", "shared"];

/** Volumes of the engine that are mounted on the host, with as many entries as mounts. */
function mounted({ dataRoot }: Engine): string[] {
  const places = readFileSync("/proc/self/mountinfo", "utf8").matchAll(/^(?:\S+ ){4}(\S+)/gm);
  return [...places].flatMap(([, place = ""]) =>
    place.startsWith(`${dataRoot}/volumes/`) ? [place.split("/").at(-2) ?? ""] : [],
  );
}

function loops({ dataRoot }: Engine): number {
  return readdirSync("/sys/block").filter((name) => {
    try {
      return readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").startsWith(dataRoot);
    } catch {
      return false;
    }
  }).length;
}

/** Starts or stops each by chance, and kills the daemon some milliseconds later. */
async function shake(engine: Engine, boxes: readonly Box[]): Promise<void> {
  // What is under way fails with the connection, or because it is so already.
  const work = Promise.allSettled(boxes.map((box) => (Math.random() < 0.6 ? box.start() : box.stop(0))));
  await Bun.sleep(Math.random() * 400 * patience);
  await engine.kill9();
  await work;
}

test("what runs has its volumes, what does not has none mounted, whenever the daemon died", async () => {
  await using engine = await startEngine();
  const create = (Name: string, DriverOpts: object) =>
    engine.wire.json("POST", "/volumes/create", { Name, DriverOpts });
  await create("small", { size: "16m" });
  await create("memory", { type: "tmpfs", device: "tmpfs" });
  await create("shared", { size: "16m" });
  const sets = [["small"], ["memory"], ["shared"], ["shared", "small"]];
  const boxes: Box[] = [];
  for (const set of sets) {
    boxes.push(await engine.create(["sleep", "600"], { HostConfig: { Binds: set.map((name) => `${name}:/${name}`) } }));
  }
  const first = boxes[3];
  await first?.start();
  await first?.exec(["sh", "-c", "echo kept >/small/kept; echo kept >/shared/kept; sync"]);
  await first?.stop(0);
  for (let round = 0; round < rounds; round++) {
    await shake(engine, boxes);
    await engine.start();
    const expected = new Set<string>();
    for (const [index, box] of boxes.entries()) {
      if (!(await box.inspect()).State.Running) continue;
      for (const name of sets[index] ?? []) {
        expected.add(name);
        const look = name === "memory" ? ["stat", "-f", "-c", "%T", "/memory"] : ["cat", `/${name}/kept`];
        expect((await box.exec(look)).stdout).toBe(name === "memory" ? "tmpfs\n" : "kept\n");
      }
    }
    expect(mounted(engine).toSorted()).toEqual([...expected].toSorted());
    expect(loops(engine)).toBe(volumes.filter((name) => name !== "memory" && expected.has(name)).length);
  }
});
