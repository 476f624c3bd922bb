/** Ways out of containers by files, links, nodes and archives: as escapes.test.ts, in whose words. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { imageWith, rewrite, secretFolder, tell } from "./harness/escape.ts";
import { tar, type TarEntry } from "./harness/tar.ts";
import type { WireError } from "./harness/wire.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

test("device nodes that come in an image or an archive open nothing", async () => {
  const nodes: TarEntry[] = [
    { name: "ram", type: "character", device: [1, 1], mode: 0o666 },
    { name: "log", type: "character", device: [1, 11], mode: 0o666 },
    { name: "disk", type: "block", device: [8, 0], mode: 0o666 },
  ];
  await imageWith(engine, "nodes", nodes);
  for (const UsernsMode of ["", "auto"]) {
    const box = await engine.run(["sleep", "600"], { Image: "nodes", HostConfig: { UsernsMode } });
    await put(box, "/tmp", tar(nodes));
    for (const node of ["/ram", "/log", "/disk", "/tmp/ram", "/tmp/log", "/tmp/disk"]) {
      const { code, stderr } = await box.exec(["dd", `if=${node}`, "of=/dev/null", "bs=1", "count=1"]);
      expect({ node, code, stderr }).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("ot permitted") as string,
      });
    }
    await box.remove({ force: true });
  }
});

test("/proc of an image that leads elsewhere does not take the masks with it (CVE-2023-27561)", async () => {
  await imageWith(engine, "proclink", [
    { name: "elsewhere/", type: "directory" },
    { name: "proc", type: "symlink", link: "/elsewhere" },
  ]);
  const script = `cat /proc/keys /proc/timer_list | head -c 20; ${rewrite("/proc/sys/kernel/core_pattern")}`;
  const told = await tell(engine, script, { Image: "proclink" });
  expect(told).not.toContain("ESCAPED");
  expect(told).toMatch(/^refused: |Read-only file system/);
});

test("a volume lands inside the container, whatever its image made of the place", async () => {
  await imageWith(engine, "links", [
    { name: "var/tmp/", type: "directory" },
    { name: "out", type: "symlink", link: "/../../../../../../../../../../var/tmp" },
    { name: "kernel", type: "symlink", link: "/proc/sys/kernel" },
  ]);
  const name = `bt-escape-${process.pid}`;
  const told = await tell(engine, `ls -d /var/tmp/${name}; touch /out/${name}/file`, {
    Image: "links",
    HostConfig: { Binds: [`vol:/out/${name}`] },
  });
  expect(told).toBe(`/var/tmp/${name}\n`);
  expect(existsSync(`/var/tmp/${name}`)).toBe(false);
  expect(existsSync(join(engine.dataRoot, "volumes/vol/_data/file"))).toBe(true);
  expect(await tell(engine, "true", { Image: "links", HostConfig: { Binds: ["vol:/kernel"] } })).toBe(
    'refused: cannot mount at /kernel: "/proc/sys/kernel" is inside /proc',
  );
  expect(await tell(engine, "cat /proc/uptime", { HostConfig: { Binds: ["/etc/hostname:/proc/uptime"] } })).toBe(
    readFileSync("/etc/hostname", "utf8"),
  );
});

async function put(box: Box, path: string, body: Buffer<ArrayBuffer>): Promise<unknown> {
  return await engine.wire.bytes("PUT", `/containers/${box.id}/archive?path=${encodeURIComponent(path)}`, { body });
}

async function get(box: Box, path: string): Promise<string> {
  try {
    const bytes = await engine.wire.bytes("GET", `/containers/${box.id}/archive?path=${encodeURIComponent(path)}`);
    return Buffer.from(bytes).toString("latin1");
  } catch (error) {
    return `refused: ${(error as WireError).message}`;
  }
}

test("copies follow links inside the container only (CVE-2018-15664)", async () => {
  using secret = secretFolder(engine);
  const folder = secret.path;
  for (const stopped of [false, true]) {
    const box = await engine.run(["sleep", "600"]);
    const script = `mkdir -p /d; ln -s ${folder} /abs; ln -s ../../../../../../../../..${folder} /d/rel; ln -s /proc/1/root /magic; ln -s /proc/self/cwd /self`;
    await box.exec(["sh", "-c", script]);
    if (stopped) await box.stop(0);
    for (const way of ["/abs", "/d/rel", `/magic${folder}`, `/self${folder}`, `/../../../..${folder}`]) {
      expect({ way, got: await get(box, `${way}/file`) }).toMatchObject({
        got: expect.stringMatching(/^refused: /) as string,
      });
      await put(box, way, tar([{ name: "planted", content: "x" }])).catch(() => {});
    }
    for (const entries of [
      [{ name: `../../../../../../../../..${folder}/planted`, content: "x" }],
      [
        { name: "way", type: "symlink", link: folder },
        { name: "way/planted", content: "x" },
      ],
      [
        { name: "hard", type: "hardlink", link: `../../../../../../../..${folder}/file` },
        { name: "hard", content: "overwritten" },
      ],
    ] as TarEntry[][]) {
      await put(box, "/d", tar(entries)).catch(() => {});
    }
    expect(readdirSync(folder)).toEqual(["file"]);
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("of the host");
    await box.remove({ force: true });
  }
});

test("copies do not lose a race with links that come and go (CVE-2018-15664)", async () => {
  using secret = secretFolder(engine);
  const folder = secret.path;
  const swap = `mkdir -p /r/real; ln -s ${folder} /r/link; cd /r; while :; do mv real way; mv way real; mv link way; mv way link; done 2>/dev/null`;
  const box = await engine.run(["sh", "-c", swap]);
  const archive = tar([{ name: "planted", content: "x" }]);
  for (let i = 0; i < 25; i++) {
    expect(await get(box, "/r/way/file")).not.toContain("of the host");
    await put(box, "/r/way", archive).catch(() => {});
  }
  expect(readdirSync(folder)).toEqual(["file"]);
  await box.remove({ force: true });
});

test("no program or library of a container is run for cp, top, export, commit or diff (CVE-2019-14271)", async () => {
  const trap: TarEntry = { name: "", content: "#!/bin/sh\necho trapped >/trapped\n", mode: 0o755 };
  const programs = ["tar", "ps", "cp", "cat", "berth", "bun", "ld.so.preload"].flatMap((name) =>
    ["bin", "usr/bin", "usr/local/bin", "etc"].map((path): TarEntry => ({ ...trap, name: `${path}/${name}-` })),
  );
  const places = ["bin/ps", "bin/tar", "usr/bin/ps", "usr/bin/tar", "usr/bin/unshare", "usr/local/bin/crun"];
  await imageWith(engine, "traps", [
    ...programs,
    ...places.map((name): TarEntry => ({ ...trap, name })),
    { name: "etc/ld.so.preload", content: "/lib/evil.so\n" },
    { name: "etc/nsswitch.conf", content: "passwd: evil\n" },
    { name: "lib/x86_64-linux-gnu/libnss_files.so.2", content: "no library" },
    { name: "lib/x86_64-linux-gnu/libnss_evil.so.2", content: "no library" },
  ]);
  const box = await engine.run(["sleep", "600"], { Image: "traps", User: "app" });
  await put(box, "/tmp", tar([{ name: "in", content: "x" }]));
  expect(await get(box, "/tmp/in")).toContain("ustar");
  expect(await engine.wire.json("GET", `/containers/${box.id}/top`)).toMatchObject({ Processes: [expect.anything()] });
  await engine.wire.bytes("GET", `/containers/${box.id}/export`);
  await engine.wire.json("POST", `/commit?container=${box.id}&repo=trapped`);
  await engine.wire.json("GET", `/containers/${box.id}/changes`);
  expect((await box.exec(["/bin/busybox", "ls", "/"])).stdout).not.toContain("trapped");
});

test("an exec reads the container's own passwd file, whatever that is", async () => {
  using secret = secretFolder(engine);
  const folder = secret.path;
  writeFileSync(join(folder, "passwd"), "spy:x:0:0::/:/bin/sh\n");
  const box = await engine.run(["sleep", "600"]);
  const as = async (setUp: string) => {
    await box.exec(["sh", "-c", `rm -f /etc/passwd; ${setUp}`], { User: "0" });
    return await box
      .exec(["id", "-u"], { User: "spy" })
      .catch((error: WireError) => ({ stdout: "", refused: error.message }));
  };
  for (const setUp of [
    `ln -s ${folder}/passwd /etc/passwd`,
    `ln -s /proc/1/root/../../../..${folder}/passwd /etc/passwd`,
    "mkfifo /etc/passwd",
    "ln -s /dev/zero /etc/passwd",
    "mkdir /etc/passwd",
  ]) {
    expect({ setUp, ...(await as(setUp)) }).not.toMatchObject({ stdout: "0\n" });
  }
});

test("a program that a container leaves in a volume with set-user-id cannot be reached by users of the host", async () => {
  const plant = "cp /bin/busybox /v/id; chown 0:0 /v/id; chmod 4755 /v/id";
  for (const UsernsMode of ["", "auto"]) {
    await tell(engine, plant, { HostConfig: { UsernsMode, Binds: [`suid${UsernsMode}:/v`] } });
    const program = join(engine.dataRoot, `volumes/suid${UsernsMode}/_data/id`);
    expect(statSync(program).mode & 0o4000).toBe(0o4000);
    await Bun.$`chmod 711 ${engine.dataRoot}`;
    const { exitCode, stderr } = Bun.spawnSync([
      "setpriv",
      "--reuid=65534",
      "--regid=65534",
      "--clear-groups",
      // The first program that it runs still has the capabilities of root.
      "sh",
      "-c",
      program,
    ]);
    expect(exitCode).not.toBe(0);
    expect(stderr.toString()).toContain("Permission denied");
  }
});
