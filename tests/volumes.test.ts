/** Volumes, binds and tmpfs: what a container sees, and what outlives it. */
import { expect, test } from "bun:test";
import { readlinkSync, statSync } from "node:fs";
import { cString, syscall } from "#linux/libc.ts";
import { startEngine } from "./harness/engine.ts";
import { Wire } from "./harness/wire.ts";

test("a new named volume takes over what the image has there, owners and modes included; a used one does not", async () => {
  await using engine = await startEngine();
  const show = "cat /data/seed; stat -c '%u:%g %a' /data/seed; echo changed > /data/seed";
  const first = await engine.run(["sh", "-c", show], { HostConfig: { Binds: ["keep:/data"] } });
  await first.wait();
  expect((await first.logs()).stdout).toBe("from the image\n1000:2000 640\n");
  const second = await engine.run(["cat", "/data/seed"], { HostConfig: { Binds: ["keep:/data"] } });
  await second.wait();
  expect((await second.logs()).stdout).toBe("changed\n");
  const empty = await engine.run(["ls", "/data"], {
    HostConfig: { Mounts: [{ Type: "volume", Source: "bare", Target: "/data", VolumeOptions: { NoCopy: true } }] },
  });
  await empty.wait();
  expect((await empty.logs()).stdout).toBe("");
});

test("anonymous volumes go with rm -v, named ones stay, used ones cannot be removed", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["true"], { Volumes: { "/scratch": {} }, HostConfig: { Binds: ["keep:/data"] } });
  const names = async () =>
    ((await engine.wire.json<{ Volumes: { Name: string }[] | null }>("GET", "/volumes")).Volumes ?? []).map(
      ({ Name }) => Name,
    );
  expect(await names()).toHaveLength(2);
  await expect(engine.wire.bytes("DELETE", "/volumes/keep")).rejects.toMatchObject({
    status: 409,
    message: `remove keep: volume is in use - [${box.id}]`,
  });
  await box.remove({ volumes: true });
  expect(await names()).toEqual(["keep"]);
});

test("tmpfs has its size and mode and is empty after a restart", async () => {
  await using engine = await startEngine();
  const box = await engine.run(
    ["sh", "-c", "ls /t; stat -c %a /t; df -k /t | tail -n 1 | awk '{print $2}'; touch /t/x"],
    {
      HostConfig: { Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o700 } }] },
    },
  );
  await box.wait();
  await box.start();
  await box.wait();
  expect((await box.logs()).stdout).toBe("700\n1024\n700\n1024\n");
});

test("volumes-from another container, and sharing while both run", async () => {
  await using engine = await startEngine();
  const owner = await engine.run(["sleep", "600"], { HostConfig: { Binds: ["shared:/data"] } });
  const guest = await engine.run(["sh", "-c", "echo hello > /data/note"], { HostConfig: { VolumesFrom: [owner.id] } });
  expect(await guest.wait()).toBe(0);
  expect((await owner.exec(["cat", "/data/note"])).stdout).toBe("hello\n");
});

test("volumes-from takes binds, volumes and tmpfs mounts, read-only where it says so, and fills nothing", async () => {
  await using engine = await startEngine();
  const owner = await engine.create(["true"], {
    HostConfig: {
      Binds: ["shared:/data", "/var/tmp:/host:ro"],
      Mounts: [{ Type: "tmpfs", Target: "/t" }],
      Tmpfs: { "/own": "" },
    },
  });
  const show = "ls -A /data; touch /data/x; stat -f -c %T /t /own";
  const guest = await engine.run(["sh", "-c", show], { HostConfig: { VolumesFrom: [`${owner.id}:ro`] } });
  await guest.wait();
  const { stdout, stderr } = await guest.logs();
  expect(stdout).toBe("tmpfs\n");
  expect(stderr).toContain("/data/x: Read-only file system");
  const seen = (await guest.inspect()).Mounts.map(({ Type, Destination, RW, Mode }) => [Type, Destination, RW, Mode]);
  expect(seen.toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))).toEqual([
    ["bind", "/host", false, ""],
    ["tmpfs", "/t", false, ""],
    ["volume", "/data", false, ""],
  ]);
  for (const mode of ["bogus", "rshared", "nocopy"]) {
    await expect(
      engine.create(["true"], { HostConfig: { VolumesFrom: [`${owner.id}:${mode}`] } }),
    ).rejects.toMatchObject({ status: 400, message: `invalid mode: ${mode}` });
  }
});

test("a volume gets hard links, links and extended attributes of the image as they are", async () => {
  await using engine = await startEngine();
  const maker = await engine.run(["sh", "-c", "mkdir /c; echo 1 >/c/a; ln /c/a /c/b; ln -s a /c/l; chown 5:6 /c/a"]);
  await maker.wait();
  const upper = `${engine.dataRoot}/snapshots/${maker.id}/fs/c/a`;
  const value = Buffer.from("kept");
  expect(syscall("setxattr", cString(upper), cString("user.note"), value, value.length, 0)).toBe(0);
  await engine.wire.bytes("POST", `/commit?container=${maker.id}&repo=linked`);
  const create = { Image: "linked", Cmd: ["true"], HostConfig: { Binds: ["copy:/c"] } };
  const { Id } = await engine.wire.json<{ Id: string }>("POST", "/containers/create", create);
  await engine.wire.bytes("POST", `/containers/${Id}/start`);
  const data = `${engine.dataRoot}/volumes/copy/_data`;
  const [a, b] = [statSync(`${data}/a`), statSync(`${data}/b`)];
  expect([a.ino === b.ino, a.nlink, a.uid, a.gid, readlinkSync(`${data}/l`)]).toEqual([true, 2, 5, 6, "a"]);
  const found = Buffer.alloc(16);
  const length = syscall("getxattr", cString(`${data}/b`), cString("user.note"), found, found.length);
  expect(found.toString("utf8", 0, length)).toBe("kept");
});

test("inspect and prune of volumes", async () => {
  await using engine = await startEngine();
  await engine.wire.bytes("POST", "/volumes/create", { body: { Name: "mine", Labels: { a: "b" } } });
  expect(await engine.wire.json("GET", "/volumes/mine")).toMatchObject({
    Name: "mine",
    Driver: "local",
    Scope: "local",
    Labels: { a: "b" },
  });
  await expect(engine.wire.bytes("POST", "/volumes/create", { body: { Name: "../up" } })).rejects.toMatchObject({
    status: 400,
  });
  const box = await engine.create(["true"], { Volumes: { "/scratch": {} } });
  await box.remove();
  // Without `all`, only anonymous ones are unused enough.
  const pruned = await engine.wire.json<{ VolumesDeleted: string[] | null }>("POST", "/volumes/prune");
  expect(pruned.VolumesDeleted).toHaveLength(1);
  // Clients before 1.42 mean named ones, too.
  const old = new Wire(engine.socket, "1.41");
  expect(await old.json("POST", "/volumes/prune")).toMatchObject({ VolumesDeleted: ["mine"] });
  await expect(engine.wire.json("GET", "/volumes/absent")).rejects.toMatchObject({ status: 404 });
});
