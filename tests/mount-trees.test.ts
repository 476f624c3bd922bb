/** Mounts below mounts: what a bind takes along, what of it can be written to, and which later mounts pass through. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Mount } from "#api/types/container-config.ts";
import { cString, syscall } from "#linux/libc.ts";
import { mountTmpfs, unmount } from "#linux/mount.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

const MS_PRIVATE = 0x40000;
const MS_SHARED = 0x100000;

/** A tmpfs with a file, and another one below it. */
let folder: string;

function propagate(flag: number): void {
  const none = cString("none");
  expect(syscall("mount", none, cString(folder), none, flag, none)).toBe(0);
}

beforeEach(() => {
  folder = mkdtempSync("/run/bt-tree-");
  mountTmpfs(folder);
  propagate(MS_PRIVATE);
  mkdirSync(`${folder}/below`);
  mountTmpfs(`${folder}/below`);
  writeFileSync(`${folder}/below/file`, "");
});
afterEach(() => {
  unmount(folder, { detach: true });
  rmSync(folder, { recursive: true });
});

const bind = (BindOptions: Mount["BindOptions"], ReadOnly = false): Mount => ({
  Type: "bind",
  Source: folder,
  Target: "/b",
  ReadOnly,
  ...(BindOptions && { BindOptions }),
});

async function output(engine: Engine, script: string, mount: Mount): Promise<string> {
  const box = await engine.run(["sh", "-c", script], { HostConfig: { Mounts: [mount] } });
  await box.wait();
  return (await box.logs()).stdout;
}

test("bind-recursive says what is taken along, and what is read-only of it", async () => {
  await using engine = await startEngine();
  const look = "ls /b/below; touch /b/x 2>/dev/null && echo top; touch /b/below/x 2>/dev/null && echo below";
  const shows = (mount: Mount) => output(engine, `${look}; rm -f /b/x /b/below/x; true`, mount);
  expect(await shows(bind(null))).toBe("file\ntop\nbelow\n");
  expect(await shows(bind({ NonRecursive: true }))).toBe("top\nbelow\n");
  expect(await shows(bind(null, true))).toBe("file\n");
  expect(await shows(bind({ ReadOnlyNonRecursive: true }, true))).toBe("file\nbelow\n");
  expect(await shows(bind({ ReadOnlyForceRecursive: true, Propagation: "rprivate" }, true))).toBe("file\n");
  await expect(
    engine.create(["true"], {
      HostConfig: { Mounts: [bind({ ReadOnlyForceRecursive: true, ReadOnlyNonRecursive: true }, true)] },
    }),
  ).rejects.toMatchObject({ status: 400 });
});

test("later mounts pass both ways where shared, one way where slave, and never from a private mount", async () => {
  await using engine = await startEngine();
  await expect(engine.run(["true"], { HostConfig: { Mounts: [bind({ Propagation: "rshared" })] } })).rejects.toThrow(
    `path ${folder} is mounted on ${folder} but it is not a shared mount`,
  );
  await expect(engine.run(["true"], { HostConfig: { Mounts: [bind({ Propagation: "rslave" })] } })).rejects.toThrow(
    `path ${folder} is mounted on ${folder} but it is not a shared or slave mount`,
  );
  propagate(MS_SHARED);
  mkdirSync(`${folder}/late`);
  mkdirSync(`${folder}/inside`);
  for (const [Propagation, into, outOf] of [
    ["rshared", true, true],
    ["rslave", true, false],
    ["rprivate", false, false],
  ] as const) {
    const box = await engine.run(["sleep", "600"], {
      HostConfig: { Privileged: true, Mounts: [bind({ Propagation })] },
    });
    mountTmpfs(`${folder}/late`, { mode: 0o751 });
    const seen = await box.exec(["stat", "-c", "%a", "/b/late"]);
    expect([Propagation, seen.stdout]).toEqual([Propagation, into ? "751\n" : "755\n"]);
    expect((await box.exec(["mount", "-t", "tmpfs", "none", "/b/inside"])).code).toBe(0);
    expect([Propagation, unmount(`${folder}/inside`)]).toEqual([Propagation, outOf]);
    await box.remove({ force: true });
    unmount(`${folder}/late`);
  }
});
