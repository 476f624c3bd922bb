/** `docker cp`: one large file that does not compress, in and out, and a folder of 5,000 small ones. */
import { randomFillSync } from "node:crypto";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { atMost, type Group, milliseconds, type Workshop } from "../metric.ts";

const large = 300 << 20;
const many = 5000;

export function copy(workshop: Workshop): Group {
  const file = join(workshop.folder, "copy-large");
  const tree = join(workshop.folder, "copy-tree");
  const back = join(workshop.folder, "copy-back");
  return {
    name: "copy",
    metrics: [
      { name: "cp_in_300mb", unit: "s", better: "lower", bar: atMost(0.7) },
      { name: "cp_out_300mb", unit: "s", better: "lower", bar: atMost(0.7) },
      { name: "cp_in_5000_files", unit: "s", better: "lower", bar: atMost(0.6) },
    ],
    runs: 5,
    needsDockerClient: true,
    settle: true,
    // Containers stay until the last round: ext4 makes files slowly for a minute after many were removed.
    prepare: async (round) => {
      if (round > 0) return;
      await makeLarge(file);
      await makeTree(tree);
    },
    run: async (target) => {
      const name = target.name();
      const seconds = async (...words: string[]) =>
        (await milliseconds(() => target.docker(["cp", "-q", ...words]))) / 1000;
      try {
        await target.start(await target.create(["sleep", "600"], {}, name));
        const cp_in_300mb = await seconds(file, `${name}:/large`);
        const cp_out_300mb = await seconds(`${name}:/large`, back);
        const { size } = await stat(back);
        if (size !== large) throw new Error(`the copy has ${size} bytes`);
        const cp_in_5000_files = await seconds(tree, `${name}:/tree`);
        const found = await target.docker(["exec", name, "sh", "-c", "find /tree -type f | wc -l"]);
        if (Number(found) !== many) throw new Error(`${found} files are there, not ${many}`);
        return { cp_in_300mb, cp_out_300mb, cp_in_5000_files };
      } finally {
        await rm(back, { force: true });
      }
    },
    teardown: async (target) => await target.removeContainers(),
  };
}

async function makeLarge(path: string): Promise<void> {
  const writer = Bun.file(path).writer();
  for (let written = 0; written < large; written += 10 << 20) {
    await writer.write(randomFillSync(Buffer.alloc(10 << 20)));
  }
  await writer.end();
}

/** A hundred in each folder, of 1 to 7 KB. */
async function makeTree(path: string): Promise<void> {
  for (let index = 0; index < many; index++) {
    const folder = join(path, String(Math.floor(index / 100)));
    if (index % 100 === 0) await mkdir(folder, { recursive: true });
    await Bun.write(join(folder, `${index}.txt`), `file ${index} of a folder\n`.repeat(50 + ((index * 37) % 250)));
  }
}
