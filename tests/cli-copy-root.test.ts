/** `cp` of a container's whole tree. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { startEngine } from "./harness/engine.ts";
import { run } from "./harness/process.ts";

const programs = Bun.which("docker") === null ? (["berth"] as const) : (["berth", "docker"] as const);

test.each(programs)(
  "%s copies the root of a running container, without what the kernel shows there",
  async (program) => {
    await using engine = await startEngine();
    const here = await mkdtemp("/var/tmp/berth-cp-");
    try {
      const box = await engine.run(["sh", "-c", "echo text >/file; exec sleep 600"], {
        HostConfig: { Binds: ["data:/data"] },
      });
      await box.exec(["sh", "-c", "echo kept >/data/kept; until [ -s /file ]; do usleep 10000; done"]);
      await mkdir(join(here, "there"));
      for (const target of ["new", "there"]) {
        const copied = await engine[program](["cp", `${box.id}:/`, join(here, target)], { timeout: 30_000 });
        expect(copied).toMatchObject({ code: 0 });
        expect(readFileSync(join(here, target, "file"), "utf8")).toBe("text\n");
        expect(readFileSync(join(here, target, "data/kept"), "utf8")).toBe("kept\n");
        expect(existsSync(join(here, target, "bin/busybox"))).toBe(true);
        for (const folder of ["proc", "sys"]) expect(readdirSync(join(here, target, folder))).toEqual([]);
      }
      expect(readdirSync(here).toSorted()).toEqual(["new", "there"]);
      const { stdout } = await run(
        [
          "sh",
          "-c",
          `"$@" cp ${box.id}:/ - | tar -tP | head -n 2`,
          "sh",
          ...engine.program,
          "-H",
          `unix://${engine.socket}`,
        ],
        { timeout: 30_000 },
      );
      expect(stdout).toStartWith("/\n/");
    } finally {
      await rm(here, { recursive: true });
    }
    expect(await engine.leftovers()).toEqual([]);
  },
  90_000,
);
