/** Volumes of a bounded size on a data root with project quotas: nothing is mounted for them, and the bound holds. */
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import type { Volume } from "#api/types/volume.ts";
import { openLoopDevice } from "#linux/loop-device.ts";
import { mountFileSystem, unmount } from "#linux/mount.ts";
import { startEngine } from "./harness/engine.ts";

interface Disk extends Disposable {
  readonly path: string;
}

/** An ext4 of its own that counts by project; undefined where this kernel counts nothing. */
function quotaDisk(): Disk | undefined {
  const image = `/var/tmp/bt-quota-${crypto.randomUUID()}`;
  writeFileSync(image, "");
  truncateSync(image, 256 * 2 ** 20);
  const path = mkdtempSync("/var/tmp/bt-quota-root-");
  try {
    const features = ["-O", "quota,project", "-E", "quotatype=prjquota"];
    const made = Bun.spawnSync(["/usr/sbin/mkfs.ext4", "-q", "-F", ...features, image]);
    if (!made.success) throw new Error(made.stderr.toString());
    using device = openLoopDevice(image);
    mountFileSystem(path, { type: "ext4", source: device.path, options: { prjquota: true } });
    rmdirSync(`${path}/lost+found`);
  } catch {
    rmSync(image);
    rmSync(path, { recursive: true });
    return undefined;
  }
  return {
    path,
    [Symbol.dispose]: () => {
      unmount(path, { detach: true });
      rmSync(image);
      rmSync(path, { recursive: true });
    },
  };
}

function hasQuotas(): boolean {
  using disk = quotaDisk();
  return disk !== undefined;
}

const why = hasQuotas() ? "" : " (skipped: this kernel has no quotas)";

test.skipIf(why !== "")(`a project quota bounds a volume, and goes with it${why}`, async () => {
  using disk = quotaDisk();
  await using engine = await startEngine({ dataRoot: disk?.path ?? "" });
  const create = (Name: string) => engine.wire.json("POST", "/volumes/create", { Name, DriverOpts: { size: "8m" } });
  await create("small");
  await create("other");
  const fill = "cat /data/seed; dd if=/dev/zero of=/data/big bs=64k count=400";
  const box = await engine.run(["sh", "-c", fill], { HostConfig: { Binds: ["small:/data"] } });
  await box.wait();
  const { stdout, stderr } = await box.logs();
  expect(stdout).toBe("from the image\n");
  expect(stderr).toContain("Disk quota exceeded");
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${engine.dataRoot}/volumes/small`);
  const { Volumes } = await engine.wire.json<{ Volumes: Volume[] }>("GET", "/system/df?type=volume");
  const sizes = Object.fromEntries(Volumes.map(({ Name, UsageData }) => [Name, UsageData?.Size ?? 0]));
  expect(sizes["small"]).toBeGreaterThan(7 * 2 ** 20);
  expect(sizes["small"]).toBeLessThanOrEqual(8 * 2 ** 20);
  expect(sizes["other"]).toBeLessThan(2 ** 20);
  // A new volume of the same name starts from nothing.
  await box.remove();
  await engine.wire.bytes("DELETE", "/volumes/small");
  await create("small");
  const again = await engine.run(["dd", "if=/dev/zero", "of=/v/most", "bs=64k", "count=100"], {
    HostConfig: { Binds: ["small:/v"] },
  });
  expect(await again.wait()).toBe(0);
});
