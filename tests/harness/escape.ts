/** For tests in which a container tries to reach the host. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerOverrides } from "./box.ts";
import type { Engine } from "./engine.ts";
import { busyboxLayer, dockerArchive } from "./image.ts";
import { tar, type TarEntry } from "./tar.ts";
import type { WireError } from "./wire.ts";

/** What a script says, or the message with which its container is refused. */
export async function tell(engine: Engine, script: string, overrides: ContainerOverrides = {}): Promise<string> {
  try {
    const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], overrides);
    await box.wait();
    return (await box.logs()).stdout;
  } catch (error) {
    return `refused: ${(error as WireError).message}`;
  }
}

/** Shell words that write what a file holds into it, and say ESCAPED where they can. */
export function rewrite(path: string): string {
  return `c=$(cat ${path} 2>&1); printf %s "$c" >${path} && echo ESCAPED`;
}

/** Loads an image with more in it than busybox. */
export async function imageWith(engine: Engine, tag: string, entries: readonly TarEntry[]): Promise<void> {
  await engine.load(dockerArchive({ tags: [tag], layers: [await busyboxLayer(), tar(entries)] }));
}

/** A folder of the host, with one `file`, that containers try to reach. */
export function secretFolder(engine: Engine): { path: string } & Disposable {
  const path = join(engine.dataRoot, "secret");
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "file"), "of the host");
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
