/** Mounts that running containers are given and that are taken from them. */
import { expect, test } from "bun:test";
import { chownSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Mount } from "#api/types/container-config.ts";
import { change, mountPoints, shell } from "./harness/change.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

/** A folder of the host with a file in it. */
function hostFolder(engine: Engine, name: string): string {
  const folder = `${engine.execRoot}/${name}`;
  mkdirSync(`${folder}/deep`, { recursive: true });
  writeFileSync(`${folder}/file`, `${name}\n`);
  return folder;
}

test("binds, volumes and tmpfs appear in a running container, hold over a restart and go again", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "one");
  const box = await engine.run(["sleep", "600"]);
  const before = await box.inspect();
  const started = before.State.StartedAt;
  const mounts: Mount[] = [
    { Type: "bind", Source: folder, Target: "/new/bound", ReadOnly: true },
    { Type: "volume", Source: "kept", Target: "/kept" },
    { Type: "tmpfs", Target: "/fast", TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1770 } },
  ];
  await change(engine, box, { Mounts: { Add: mounts }, Binds: { Add: [`${folder}/file:/one`, "named:/bin2"] } });
  const look = async () => {
    expect(await shell(box, "cat /new/bound/file /one; echo x >/kept/made && cat /kept/made")).toBe("one\none\nx\n");
    expect(await shell(box, "echo x >/new/bound/deep/y")).toContain("Read-only file system");
    expect(await shell(box, "stat -c '%a' /fast; grep ' /fast ' /proc/mounts | cut -d ' ' -f 3-4")).toBe(
      "1770\ntmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=1770\n",
    );
    expect(await mountPoints(box)).toEqual(["/bin2", "/fast", "/kept", "/new/bound", "/one"]);
  };
  await look();
  const { Mounts, HostConfig, State } = await box.inspect();
  expect(State.StartedAt).toBe(started);
  expect(Mounts.map(({ Destination, Type, RW }) => `${Destination} ${Type} ${RW}`).toSorted()).toEqual([
    "/bin2 volume true",
    "/fast tmpfs true",
    "/kept volume true",
    "/new/bound bind false",
    "/one bind true",
  ]);
  expect(HostConfig.Binds).toEqual([`${folder}/file:/one`, "named:/bin2"]);
  await engine.wire.bytes("POST", `/volumes/prune?filters=${encodeURIComponent('{"all":["true"]}')}`);
  await expect(engine.wire.bytes("DELETE", "/volumes/kept")).rejects.toMatchObject({ status: 409 });
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  await look();

  // What is removed makes way for what is added.
  await change(engine, box, { Mounts: { Remove: ["/one"], Add: [{ Type: "tmpfs", Target: "/two" }] } });
  await change(engine, box, { Mounts: { Remove: ["/two"] }, Binds: { Add: [`${folder}:/two`] } });
  expect(await shell(box, "cat /two/file")).toBe("one\n");
  await change(engine, box, { Mounts: { Remove: ["/two"] }, Binds: { Add: [`${folder}/file:/one`] } });
  await change(engine, box, { Mounts: { Remove: ["/bin2", "/fast", "/kept", "/new/bound/", "/one"] } });
  expect(await mountPoints(box)).toEqual([]);
  const until = ((Date.now() + 1) / 1000).toFixed(3);
  const events = new TextDecoder().decode(await engine.wire.bytes("GET", `/events?since=0&until=${until}`));
  expect(events.match(/"Action":"(un)?mount","Actor":\{"ID":"kept"/g)).toHaveLength(4);
  const after = await box.inspect();
  expect(after.Mounts).toEqual([]);
  expect(after.HostConfig).toEqual(before.HostConfig);
  await engine.wire.bytes("DELETE", "/volumes/kept");
  expect(await readFile(`${folder}/file`, "utf8")).toBe("one\n");
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  expect(await mountPoints(box)).toEqual([]);
});

test("a new volume takes over what is at its place, and a part of one shows no more than that", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "mkdir -p /data/part; echo content >/data/part/file; sleep 600"]);
  await until("the file is there", async () => (await shell(box, "cat /data/part/file")) === "content\n");
  await change(engine, box, { Binds: { Add: ["filled:/data"] } });
  expect(await shell(box, "cat /data/part/file; grep -c ' /data ' /proc/mounts")).toBe("content\n1\n");
  const part = (Subpath: string): Mount => ({
    Type: "volume",
    Source: "filled",
    Target: "/part",
    VolumeOptions: { Subpath },
  });
  await shell(box, "ln -s /etc /data/out");
  await change(engine, box, { Mounts: { Add: [part("part")] } });
  expect(await shell(box, "ls /part")).toBe("file\n");
  await change(engine, box, { Mounts: { Remove: ["/part"] } });
  await expect(change(engine, box, { Mounts: { Add: [part("out")] } })).rejects.toThrow("no such file or directory");
  expect(await mountPoints(box)).toEqual(["/data"]);
});

test("no link in a container leads a mount out of it", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "trap");
  const box = await engine.run(["sleep", "600"]);
  await shell(box, "mkdir -p /real; ln -s /../../../../real /link; ln -s /proc/1/root /magic");
  await change(engine, box, { Mounts: { Add: [{ Type: "bind", Source: folder, Target: "/link/inside" }] } });
  expect(await shell(box, "cat /real/inside/file")).toBe("trap\n");
  expect(existsSync("/real")).toBe(false);
  await expect(
    change(engine, box, { Mounts: { Add: [{ Type: "bind", Source: folder, Target: "/magic/x" }] } }),
  ).rejects.toMatchObject({ status: 400 });
  await change(engine, box, { Mounts: { Remove: ["/link/inside"] } });
  expect(await mountPoints(box)).toEqual([]);
});

test("what is in use stays, unless it is forced", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "busy");
  const box = await engine.run(["sh", "-c", "cd /busy; exec sleep 600"], {
    HostConfig: { Binds: [`${folder}:/busy`, "free:/free"] },
  });
  const all = { Remove: ["/busy", "/free"] };
  await expect(change(engine, box, { Mounts: all })).rejects.toMatchObject({
    status: 409,
    message: `Cannot update container ${box.id}: cannot unmount /busy: target is busy; it can be forced`,
  });
  expect(await mountPoints(box)).toEqual(["/busy", "/free"]);
  await change(engine, box, { Mounts: { ...all, Force: true } });
  expect(await mountPoints(box)).toEqual([]);
});

test("a read-only container gets mounts too, a paused one as well, and a stopped one with its start", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "late");
  const Mounts = { Add: [{ Type: "bind" as const, Source: folder, Target: "/some/where" }] };
  const firm = await engine.run(["sleep", "600"], { HostConfig: { ReadonlyRootfs: true } });
  await change(engine, firm, { Mounts });
  expect(await shell(firm, "cat /some/where/file")).toBe("late\n");
  const paused = await engine.run(["sleep", "600"]);
  await engine.wire.bytes("POST", `/containers/${paused.id}/pause`);
  await change(engine, paused, { Mounts });
  await engine.wire.bytes("POST", `/containers/${paused.id}/unpause`);
  expect(await shell(paused, "cat /some/where/file")).toBe("late\n");
  const stopped = await engine.create(["sleep", "600"]);
  await change(engine, stopped, { Mounts, Binds: { Add: ["later:/v", "/anonymous"] } });
  await expect(engine.wire.bytes("DELETE", "/volumes/later")).rejects.toMatchObject({ status: 409 });
  await stopped.start();
  expect(await mountPoints(stopped)).toEqual(["/anonymous", "/some/where", "/v"]);
});

test("where one part fails nothing has happened", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "undone");
  const holder = await engine.run(["sleep", "600"], {
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
  });
  const taken = (await holder.inspect()).NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort ?? "";
  const box = await engine.run(["sleep", "600"], { HostConfig: { Binds: ["old:/old"] } });
  await engine.wire.json("POST", "/networks/create", { Name: "side" });
  const before = await box.inspect();
  const hosts = await shell(box, "cat /etc/hosts; ls /sys/class/net");
  await expect(
    change(engine, box, {
      Labels: { Add: { a: "b" } },
      Networks: { Add: { side: null } },
      ExtraHosts: { Add: ["peer:10.0.0.9"] },
      Env: { Add: ["A=b"] },
      Binds: { Add: [`${folder}/made:/a/b`, "fresh:/fresh"] },
      Mounts: { Remove: ["/old"] },
      PortBindings: { Add: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: taken }] } },
    }),
  ).rejects.toMatchObject({ status: 500, message: expect.stringContaining("port is already allocated") });
  expect(await box.inspect()).toEqual(before);
  expect(await mountPoints(box)).toEqual(["/old"]);
  expect(await shell(box, "cat /etc/hosts; ls /sys/class/net")).toBe(hosts);
  expect(existsSync(`${folder}/made`)).toBe(false);
  expect(await shell(box, "ls -d /a /fresh")).toContain("No such file");
  await expect(engine.wire.bytes("GET", "/volumes/fresh")).rejects.toMatchObject({ status: 404 });
  await expect(
    change(engine, box, { Mounts: { Add: [{ Type: "bind", Source: folder, Target: "/etc/hosts" }] } }),
  ).rejects.toMatchObject({ status: 409, message: expect.stringContaining("recreate the container") });
  await expect(
    change(engine, box, { Mounts: { Add: [{ Type: "bind", Source: folder, Target: "/etc/passwd" }] } }),
  ).rejects.toMatchObject({ status: 409, message: expect.stringContaining("a directory onto a file") });
  await expect(change(engine, box, { Mounts: { Remove: ["/none"] } })).rejects.toMatchObject({
    status: 409,
    message: `Cannot update container ${box.id}: the container has no mount at /none`,
  });
});

test("a container with a user namespace gets files with the owners that they have on disk", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "owned");
  chownSync(`${folder}/file`, 1000, 1000);
  const box = await engine.run(["sleep", "600"], { HostConfig: { UsernsMode: "auto" } });
  await change(engine, box, {
    Binds: { Add: [`${folder}:/some/bound`, "shifted:/shifted"] },
    Mounts: { Add: [{ Type: "tmpfs", Target: "/fast" }] },
  });
  const owner = (path: string) => `stat -c '%u:%g %n' ${path};`;
  expect(await shell(box, ["/some", "/some/bound/file", "/shifted", "/fast"].map(owner).join(" "))).toBe(
    "0:0 /some\n1000:1000 /some/bound/file\n0:0 /shifted\n0:0 /fast\n",
  );
  expect(await shell(box, "touch /some/bound/made /shifted/made /fast/made")).toBe("");
  expect(statSync(`${folder}/made`)).toMatchObject({ uid: 0, gid: 0 });
  await change(engine, box, { Mounts: { Remove: ["/some/bound", "/shifted", "/fast"] } });
  expect(await shell(box, "ls -d /some /fast /shifted 2>/dev/null")).toBe("");
});

test("fifty times there and away leaves nothing", async () => {
  await using engine = await startEngine();
  const folder = hostFolder(engine, "again");
  const box = await engine.run(["sleep", "600"]);
  const before = await box.inspect();
  for (let round = 0; round < 25; round++) {
    await change(engine, box, {
      Mounts: {
        Add: [
          { Type: "bind", Source: folder, Target: "/m" },
          { Type: "tmpfs", Target: "/m/deep" },
        ],
      },
    });
    await change(engine, box, { Mounts: { Remove: ["/m", "/m/deep"] } });
  }
  expect(await mountPoints(box)).toEqual([]);
  expect((await box.inspect()).HostConfig).toEqual(before.HostConfig);
  expect(await engine.wire.json("GET", `/containers/${box.id}/changes`)).toBe(null);
  expect(await engine.leftovers()).toEqual([]);
});
