/** `docker load` of an image of 20,000 small files and 200 MB that no compression helps with, new in every round. */
import { randomFillSync } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { dockerArchive } from "../../tests/harness/image.ts";
import { output } from "../../tests/harness/process.ts";
import { tar, type TarEntry } from "../../tests/harness/tar.ts";
import { imagePrefix } from "../image.ts";
import { atMost, type Group, milliseconds, type Workshop } from "../metric.ts";

export function load(workshop: Workshop): Group {
  const archive = join(workshop.folder, "load.tar");
  return {
    name: "load",
    metrics: [{ name: "load", unit: "s", better: "lower", bar: atMost(0.6) }],
    runs: 3,
    settle: true,
    // A new image instead of removing the last one: ext4 makes files slowly for a minute after many were removed.
    prepare: async (round) => {
      const layers = [smallFiles(round), incompressible()];
      await rm(archive, { force: true });
      await Bun.write(archive, dockerArchive({ tags: [`${imagePrefix}load:${round}`], layers }));
      await output(["sync"]);
    },
    run: async (target) => ({ load: (await milliseconds(() => target.client.load(archive))) / 1000 }),
    teardown: async () => await rm(archive, { force: true }),
  };
}

function smallFiles(round: number): Buffer {
  const entries: TarEntry[] = [{ name: "files/", type: "directory" }];
  for (let index = 0; index < 20_000; index++) {
    const folder = `files/${Math.floor(index / 100)}/`;
    if (index % 100 === 0) entries.push({ name: folder, type: "directory" });
    const line = `file ${index} of round ${round}, made by process ${process.pid} at ${Date.now()}\n`;
    entries.push({ name: `${folder}${index}.txt`, content: line.repeat(20 + ((index * 37) % 90)) });
  }
  return tar(entries);
}

function incompressible(): Buffer {
  const parts = Array.from({ length: 10 }, (_, index): TarEntry => {
    return { name: `random-${index}`, content: randomFillSync(Buffer.alloc(20 << 20)) };
  });
  return tar(parts);
}
