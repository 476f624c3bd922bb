/** Volumes of a bounded size: a quota of the data root's file system, or a file system of their own in a sparse file. */
import { existsSync, openSync, closeSync, ftruncateSync, fsyncSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { programFolders } from "#lib/requirements.ts";
import { projectUsage } from "#linux/project-quota.ts";
import type { Layout } from "#store/layout.ts";

/** `project` is the number under which the quota counts; null: an image. */
export interface BoundedVolume {
  readonly name: string;
  readonly size: number;
  readonly project: number | null;
}

/** The smallest that has room for a file system's own tables. */
const SMALLEST = 2 ** 20;

/** Throws "unavailable" where no image can be made, "invalid" where it would be too small. */
export function assertImages(name: string, size: number): void {
  if (size < SMALLEST) {
    throw new EngineError("invalid", `create ${name}: a size of ${size} bytes is too small: ${SMALLEST} is the least`);
  }
  if (makerOfImages() !== undefined) return;
  throw new EngineError(
    "unavailable",
    `create ${name}: quota size requested but no quota support: the data root's file system has no project quotas, and mkfs.ext4 ` +
      "(package e2fsprogs), which would make a file system of that size, is not installed",
  );
}

/** Makes the file system unless it is there. A crash leaves none, or a whole one. Rejects "unavailable", "internal". */
export async function makeImage(layout: Layout, { name, size }: BoundedVolume): Promise<string> {
  const image = layout.volumeImage(name);
  if (existsSync(image)) return image;
  const maker = makerOfImages();
  if (maker === undefined) assertImages(name, size);
  const fresh = `${image}.new`;
  const fd = openSync(fresh, "w", 0o600);
  try {
    ftruncateSync(fd, size);
    await format(maker ?? "", fresh, size);
    fsyncSync(fd);
    renameSync(fresh, image);
    syncFolder(dirname(image));
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  return image;
}

function syncFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** No blocks are kept for root. Tables and journal are left as the zeros that they are, so that the file stays sparse. */
async function format(maker: string, image: string, size: number): Promise<void> {
  const extended = "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1,nodiscard";
  const child = Bun.spawn([maker, "-q", "-F", "-m", "0", "-E", extended, image], {
    cwd: "/",
    env: { PATH: programFolders },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (code === 0) return;
  throw new EngineError("internal", `cannot make a file system of ${size} bytes: ${said.trim() || `status ${code}`}`);
}

/** Bytes on disk, without looking at a single file. */
export function boundedUsage(layout: Layout, { name, project }: BoundedVolume): number {
  if (project !== null) return projectUsage(layout.volumeData(name), project) ?? -1;
  return (statSync(layout.volumeImage(name), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}

function makerOfImages(): string | undefined {
  return Bun.which("mkfs.ext4", { PATH: programFolders }) ?? undefined;
}
