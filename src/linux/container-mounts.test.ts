import { afterAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMount, findMountById, mountsOf, MountSession } from "./container-mounts.ts";
import { listMounts } from "./mountinfo.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-container-mounts-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A process in a mount namespace of its own; it says so, and then does what `script` says. */
async function container(script = "sleep 60"): Promise<{ pid: number } & AsyncDisposable> {
  const words = ["unshare", "--mount", "sh", "-c", `echo; exec ${script}`];
  const child = Bun.spawn(words, { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** As in namespaces.test.ts. */
function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("mounts where only the container sees it, at a place that is made, and takes it away again", async () => {
  await using box = await container();
  await using mounts = new MountSession();
  const tmpfs = await mounts.make({ type: "tmpfs", options: { size: "4096" } });
  const destination = join(folder, "new/deep");
  expect(findMount(box.pid, destination)).toBeUndefined();
  const made = await mounts.attach(box.pid, tmpfs, { destination, sort: "folder" });
  expect(made).toEqual([join(folder, "new"), destination]);
  expect(listMounts(folder)).toEqual([]);
  const found = findMount(box.pid, destination);
  expect(found?.tree).toMatchObject([{ id: tmpfs.id, mountPoint: destination, type: "tmpfs" }]);
  expect(findMount(box.pid, join(folder, "new"))).toBeUndefined();
  if (found === undefined) return;
  const detached = await mounts.detach(box.pid, found, { lazy: false });
  expect(findMount(box.pid, destination)).toBeUndefined();
  await mounts.putBack(box.pid, detached);
  expect(findMount(box.pid, destination)).toMatchObject({ device: found.device, inode: found.inode });
  const again = findMount(box.pid, destination);
  if (again !== undefined) await mounts.detach(box.pid, again, { lazy: true });
  await mounts.removeMade(box.pid, made);
  expect(readdirSync(folder)).toEqual([]);
});

test("takes off a mount with what is below it as a whole or not at all", async () => {
  mkdirSync(join(folder, "outer"));
  await using box = await container(
    `sh -c 'mount -t tmpfs x ${folder}/outer; mkdir ${folder}/outer/a ${folder}/outer/b; mount -t tmpfs y ${folder}/outer/a; cd ${folder}/outer; echo; exec sleep 60'`,
  );
  const place = join(folder, "outer");
  const points = () =>
    mountsOf(box.pid)
      .filter(({ mountPoint }) => mountPoint.startsWith(folder))
      .map(({ mountPoint }) => mountPoint);
  while (points().length < 2 || readlinkSync(`/proc/${box.pid}/cwd`) !== place) await Bun.sleep(1);
  const found = findMount(box.pid, place);
  if (found === undefined) throw new Error("the mount is not found");
  await using mounts = new MountSession();
  expect(await refusal(mounts.detach(box.pid, found, { lazy: false }))).toMatchObject({
    kind: "conflict",
    code: "EBUSY",
  });
  expect(points().toSorted()).toEqual([place, join(place, "a")]);
  await mounts.detach(box.pid, found, { lazy: true });
  expect(points()).toEqual([]);
  rmSync(place, { recursive: true });
});

test("makes a file as a mount point, and nothing at all where the mount fails", async () => {
  await using box = await container();
  writeFileSync(join(folder, "source"), "text");
  symlinkSync(folder, join(folder, "link"));
  await using mounts = new MountSession();
  const source = await mounts.clone(join(folder, "source"), {});
  const made = await mounts.attach(box.pid, source, { destination: join(folder, "link/target"), sort: "file" });
  expect(readFileSync(`/proc/${box.pid}/root${folder}/target`, "utf8")).toBe("text");
  const tmpfs = await mounts.make({ type: "tmpfs" });
  const onFile = mounts.attach(box.pid, tmpfs, { destination: join(folder, "source"), sort: "folder" });
  expect(await refusal(onFile)).toMatchObject({ code: "ENOTDIR" });
  const other = await mounts.clone(join(folder, "source"), {});
  const wrong = mounts.attach(box.pid, other, { destination: join(folder, "x/y"), sort: "folder" });
  expect(await refusal(wrong)).toMatchObject({ code: "EINVAL" });
  expect(existsSync(join(folder, "x"))).toBe(false);
  const found = findMount(box.pid, join(folder, "link/target"));
  expect(findMountById(box.pid, source.id)?.tree).toEqual(found?.tree ?? []);
  if (found !== undefined) await mounts.detach(box.pid, found, { lazy: false });
  await mounts.removeMade(box.pid, made);
  for (const name of ["source", "link"]) rmSync(join(folder, name));
  expect(readdirSync(folder)).toEqual([]);
});
