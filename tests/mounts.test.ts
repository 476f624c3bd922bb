import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

async function output(engine: Engine, script: string, overrides: ContainerOverrides = {}): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], overrides);
  await box.wait();
  return (await box.logs()).stdout;
}

test("a tmpfs neither runs programs nor honours devices unless it is told to", async () => {
  await using engine = await startEngine();
  const show = (Tmpfs: Record<string, string>) =>
    output(engine, "grep ' /t ' /proc/mounts | cut -d ' ' -f 3-4", { HostConfig: { Tmpfs } });
  expect(await show({ "/t": "" })).toBe("tmpfs rw,nosuid,nodev,noexec,relatime\n");
  expect(await show({ "/t": "size=2m,mode=700,exec" })).toBe("tmpfs rw,nosuid,nodev,relatime,size=2048k,mode=700\n");
  expect(await show({ "/t": "ro,exec,noexec" })).toBe("tmpfs ro,nosuid,nodev,noexec,relatime\n");
  await expect(engine.create(["true"], { HostConfig: { Tmpfs: { "/t": "bogus=1" } } })).rejects.toMatchObject({
    status: 400,
    message: 'invalid tmpfs option ["bogus=1"]',
  });
  const mount = { Type: "tmpfs" as const, Target: "/t", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1770 } };
  const box = await engine.run(["stat", "-f", "-c", "%T", "/t"], { HostConfig: { Mounts: [mount] } });
  await box.wait();
  expect((await box.logs()).stdout).toBe("tmpfs\n");
  expect((await box.inspect()).Mounts).toEqual([
    { Type: "tmpfs", Source: "", Destination: "/t", Mode: "", RW: true, Propagation: "" },
  ]);
});

test("a part of a volume is mounted, and no link leads out of the volume", async () => {
  await using engine = await startEngine();
  await output(engine, "mkdir /v/part; echo inside >/v/part/file; ln -s /etc /v/out; ln -s part /v/link", {
    HostConfig: { Binds: ["parts:/v"] },
  });
  const part = (Subpath: string): ContainerOverrides => ({
    HostConfig: { Mounts: [{ Type: "volume", Source: "parts", Target: "/p", VolumeOptions: { Subpath } }] },
  });
  expect(await output(engine, "cat /p/file", part("part"))).toBe("inside\n");
  expect(await output(engine, "cat /p/file", part("link"))).toBe("inside\n");
  expect(await output(engine, "cat /p", part("part/file"))).toBe("inside\n");
  for (const absent of ["out", "nowhere"]) {
    await expect(engine.run(["true"], part(absent))).rejects.toThrow(
      /^cannot access path .*: no such file or directory$/,
    );
  }
  await expect(engine.create(["true"], part("../x"))).rejects.toThrow(
    "subpath must be a relative path within the volume",
  );
  expect(await engine.leftovers()).toEqual([]);
});

test("binds show the host's folder, read-only where asked, and refuse an absent source", async () => {
  await using engine = await startEngine();
  const folder = await mkdtemp("/var/tmp/bt-bind-");
  try {
    await output(engine, "echo hello >/b/file", { HostConfig: { Binds: [`${folder}:/b`] } });
    expect(await Bun.file(`${folder}/file`).text()).toBe("hello\n");
    expect(await output(engine, "cat /b/file; echo x >/b/file", { HostConfig: { Binds: [`${folder}:/b:ro`] } })).toBe(
      "hello\nsh: can't create /b/file: Read-only file system\n",
    );
    const absent = { Type: "bind" as const, Source: `${folder}/none`, Target: "/b" };
    await expect(engine.create(["true"], { HostConfig: { Mounts: [absent] } })).rejects.toMatchObject({
      status: 400,
      message: `invalid mount config for type "bind": bind source path does not exist: ${folder}/none`,
    });
    const made = { ...absent, BindOptions: { CreateMountpoint: true } };
    expect(await output(engine, "ls -d /b", { HostConfig: { Mounts: [made] } })).toBe("/b\n");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a volume driver that is not there is refused, and so are options of the local one", async () => {
  await using engine = await startEngine();
  await expect(
    engine.create(["true"], { HostConfig: { VolumeDriver: "nfs", Binds: ["some:/a"] } }),
  ).rejects.toMatchObject({
    status: 400,
    message: 'create some: error looking up volume plugin nfs: plugin "nfs" not found',
  });
  const DriverConfig = { Options: { type: "nfs" } };
  const mount = { Type: "volume" as const, Source: "some", Target: "/a", VolumeOptions: { DriverConfig } };
  await expect(engine.create(["true"], { HostConfig: { Mounts: [mount] } })).rejects.toMatchObject({ status: 400 });
  const labelled = { ...mount, VolumeOptions: { Labels: { colour: "red" } } };
  await engine.create(["true"], { HostConfig: { Mounts: [labelled] } });
  expect(await engine.wire.json<object>("GET", "/volumes/some")).toMatchObject({ Labels: { colour: "red" } });
});

test("folders and single files are bound side by side", async () => {
  await using engine = await startEngine();
  const folder = `${engine.execRoot}/shared`;
  await mkdir(folder);
  await writeFile(`${folder}/file`, "host\n");
  const box = await engine.run(["sh", "-c", "cat /a/file /one; echo box > /a/new; echo x > /b/no"], {
    HostConfig: { Binds: [`${folder}:/a`, `${folder}:/b:ro`, `${folder}/file:/one:ro`] },
  });
  await box.wait();
  const { stdout, stderr } = await box.logs();
  expect(stdout).toBe("host\nhost\n");
  expect(stderr).toContain("Read-only file system");
  expect(await Bun.file(`${folder}/new`).text()).toBe("box\n");
});
