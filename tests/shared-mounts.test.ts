/** On hosts whose mounts are shared, as systemd makes them: what we mount and unmount is seen where it should be only. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { patience } from "#lib/testing.ts";
import { bindMount } from "#linux/bind-mount.ts";
import { unmount } from "#linux/mount.ts";
import { startEngine } from "./harness/engine.ts";
import { run } from "./harness/process.ts";

const MARK = "BERTH_TEST_SHARED_MOUNTS";

if (process.env[MARK] === "1") insideTests();
else {
  test("where all mounts of the host are shared", rerunWithSharedMounts, 120_000 * patience);
}

/** Runs this file again in a mount namespace of its own, in which everything is shared. */
async function rerunWithSharedMounts(): Promise<void> {
  const limit = String(60_000 * patience);
  const script = 'mount --make-rshared / && exec "$@"';
  const again = [process.execPath, "test", "--timeout", limit, import.meta.path];
  const { code, stdout, stderr } = await run(["unshare", "--mount", "sh", "-c", script, "sh", ...again], {
    cwd: import.meta.dirname,
    env: { [MARK]: "1" },
    timeout: 110_000 * patience,
  });
  if (code !== 0) throw new Error(`${stdout}\n${stderr}`);
}

function insideTests(): void {
  const isMounted = (path: string): boolean => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);

  test("cp sees the volumes of a container that does not run", async () => {
    await using engine = await startEngine();
    const box = await engine.create(["cat", "/v/file"], { HostConfig: { Binds: ["data:/v"] } });
    writeFileSync(`${engine.execRoot}/file`, "copied\n");
    expect(await engine.berth(["cp", `${engine.execRoot}/file`, `${box.id}:/v/file`])).toMatchObject({ code: 0 });
    await box.start();
    await box.wait();
    expect((await box.logs()).stdout).toBe("copied\n");
  });

  test("a container's end, and cp, unmount nothing of the host", async () => {
    await using engine = await startEngine();
    // On the disk: tmpfs has idmapped mounts since Linux 6.3 only.
    const folder = `${engine.dataRoot}/tree`;
    const [outer, inner] = [`${engine.dataRoot}/outer`, `${engine.dataRoot}/inner`];
    for (const path of [folder, `${outer}/below`, inner]) mkdirSync(path, { recursive: true });
    bindMount(outer, folder);
    bindMount(inner, `${folder}/below`);
    writeFileSync(`${folder}/below/file`, "");
    try {
      // Held by a mount of our own, since its owners are shifted.
      const box = await engine.run(["ls", "/b/below"], { User: "5:6", HostConfig: { Binds: [`${folder}:/b:U`] } });
      await box.wait();
      expect((await box.logs()).stdout).toBe("file\n");
      expect(await engine.berth(["cp", `${box.id}:/b/below/file`, `${engine.execRoot}/out`])).toMatchObject({
        code: 0,
      });
      await engine.wire.json("POST", "/volumes/create", {
        Name: "tree",
        DriverOpts: { type: "none", device: folder, o: "rbind" },
      });
      const other = await engine.run(["true"], { HostConfig: { Binds: ["tree:/b"] } });
      await other.wait();
      for (const one of [box, other]) await one.remove();
      await engine.wire.bytes("DELETE", "/volumes/tree");
      expect(isMounted(`${folder}/below`)).toBe(true);
      expect(existsSync(`${folder}/below/file`)).toBe(true);
      expect(await engine.log()).not.toContain("cannot clean up");
    } finally {
      unmount(`${folder}/below`);
      unmount(folder);
    }
  });

  test("what a container mounts in a volume that it got while it ran stays its own", async () => {
    await using engine = await startEngine();
    const box = await engine.run(["sleep", "600"], { HostConfig: { Privileged: true } });
    await engine.wire.json("POST", `/containers/${box.id}/update`, { Changes: { Binds: { Add: ["data:/v"] } } });
    const made = await box.exec(["sh", "-c", "mkdir /v/sub && mount -t tmpfs none /v/sub"]);
    expect(made.code).toBe(0);
    expect(isMounted(`${engine.dataRoot}/volumes/data/_data/sub`)).toBe(false);
  });
}
