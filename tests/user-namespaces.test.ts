/** Containers whose root is nobody on the host, over layers that nobody copied. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FilesystemChange } from "#api/types/container.ts";
import type { SystemInfo } from "#api/types/system.ts";
import { bindMount } from "#linux/bind-mount.ts";
import type { Box, ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { tar } from "./harness/tar.ts";

type Overrides = NonNullable<ContainerOverrides["HostConfig"]>;

/** Runs a script to its end; what it printed. */
async function output(engine: Engine, script: string, HostConfig: Overrides): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], { HostConfig });
  await box.wait();
  return (await box.logs()).stdout;
}

async function mapOf(box: Box, kind: "uid" | "gid" = "uid"): Promise<number[]> {
  const { Pid } = (await box.inspect()).State;
  return readFileSync(`/proc/${Pid}/${kind}_map`, "utf8").trim().split(/\s+/).map(Number);
}

/** Owners by name, of an archive. */
function owners(archive: Uint8Array): Record<string, string> {
  const { stdout } = Bun.spawnSync(["tar", "--numeric-owner", "-tvf", "-"], { stdin: archive });
  const lines = stdout.toString().trimEnd().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split(" ").at(-1) ?? "", line.split(/\s+/)[1] ?? ""]));
}

for (const runtime of ["crun", "runc"]) {
  const missing = Bun.which(runtime) === null;
  test.skipIf(missing)(`${runtime}: ids are the container's own, and plain on disk (where ${runtime} is)`, async () => {
    await using engine = await startEngine();
    const folder = mkdtempSync("/var/tmp/bt-bind-");
    try {
      writeFileSync(join(folder, "mine"), "");
      const HostConfig: Overrides = {
        Runtime: runtime,
        UsernsMode: "auto",
        Binds: [`${folder}:/bind`, "users:/data"],
        Tmpfs: { "/scratch": "" },
        PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      };
      const box = await engine.run(["httpd", "-f", "-h", "/var/www"], { ExposedPorts: { "80/tcp": {} }, HostConfig });
      const other = await engine.run(["sleep", "600"], {
        HostConfig: { Runtime: runtime, UsernsMode: "auto:size=5000" },
      });
      const [inside, outside = 0, size] = await mapOf(box);
      expect([inside, size]).toEqual([0, 65536]);
      expect(await mapOf(box, "gid")).toEqual([0, outside, 65536]);
      expect((await mapOf(other)).slice(1)).toEqual([outside + 65536, 5000]);
      const { Pid } = (await box.inspect()).State;
      expect(statSync(`/proc/${Pid}`).uid).toBe(outside);

      const look = async (script: string) => (await box.exec(["sh", "-c", `{ ${script}; } 2>&1`])).stdout;
      expect(await look("stat -c %u:%g / /etc/passwd /etc/hosts /bind/mine /data /scratch /dev/shm /data/seed")).toBe(
        `${"0:0\n".repeat(7)}1000:2000\n`,
      );
      expect(await look("cd /bind; touch made; touch given; chown 33:44 given; echo x 127.0.0.2 >>/etc/hosts")).toBe(
        "",
      );
      expect(statSync(join(folder, "made"))).toMatchObject({ uid: 0, gid: 0 });
      expect(statSync(join(folder, "given"))).toMatchObject({ uid: 33, gid: 44 });
      expect(await look("touch /data/theirs && chown 7:8 /data/theirs; touch /new; chown 65536 /new")).toContain(
        "chown: /new: Invalid argument",
      );
      // Its network is its own to change, the host's is not there to be changed.
      expect(await look("ping -c 1 127.0.0.1 | grep -c '1 packets received'")).toBe("1\n");
      const { Ports } = (await box.inspect()).NetworkSettings;
      const page = await fetch(`http://127.0.0.1:${Ports["80/tcp"]?.[0]?.HostPort}/index.html`);
      expect(await page.text()).toBe("hello from the container\n");

      // Another container without a user namespace sees the same owners.
      const plain = await output(engine, "stat -c %u:%g /data/theirs /bind/given", {
        Binds: [`${folder}:/bind`, "users:/data"],
      });
      expect(plain).toBe("7:8\n33:44\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("archives in and out, diff, commit and export speak of ids inside", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { HostConfig: { UsernsMode: "auto", Binds: ["vol:/data"] } });
  const [, outside = 0] = await mapOf(box);
  await box.exec(["sh", "-c", "echo x >/root/file; chown 12:34 /root/file; rm /var/www/index.html; touch /data/x"]);
  const archive = (path: string) => engine.wire.bytes("GET", `/containers/${box.id}/archive?path=${path}`);
  const put = (path: string, body: Uint8Array<ArrayBuffer>) =>
    engine.wire.bytes("PUT", `/containers/${box.id}/archive?path=${path}`, { body });
  const incoming = await tar([
    { name: "deep/er/in", content: "in", uid: 5, gid: 6 },
    { name: "deep/link", link: "er/in" },
  ]);
  const changes = async () =>
    (await engine.wire.json<FilesystemChange[]>("GET", `/containers/${box.id}/changes`))
      .map(({ Kind, Path }) => `${"CAD"[Kind]} ${Path}`)
      .filter((line) => /file|index/.test(line));

  await put("/root", incoming);
  await put("/data", incoming);
  const inside = await box.exec([
    "sh",
    "-c",
    "cd /root && stat -c %u:%g deep deep/er/in /data/deep/er /data/deep/er/in",
  ]);
  expect(inside.stdout).toBe("0:0\n5:6\n0:0\n5:6\n");
  expect(statSync(join(engine.dataRoot, "volumes/vol/_data/deep/er/in"))).toMatchObject({ uid: 5, gid: 6 });
  for (const state of ["running", "stopped"]) {
    if (state === "stopped") await box.stop(0);
    expect({ state, ...owners(await archive("/root")) }).toMatchObject({
      state,
      "root/file": "12/34",
      "root/deep/": "0/0",
      "root/deep/er/in": "5/6",
    });
    expect(owners(await engine.wire.bytes("GET", `/containers/${box.id}/export`))).toMatchObject({
      "root/file": "12/34",
      "root/deep/er/in": "5/6",
    });
    expect(await changes()).toEqual(["A /root/file", "D /var/www/index.html"]);
  }
  await engine.wire.json("POST", `/commit?container=${box.id}&repo=made`);
  const made = await engine.run(["sh", "-c", "stat -c %u:%g /root/file /root/deep/er/in; ls /var/www"], {
    Image: "made",
  });
  await made.wait();
  expect((await made.logs()).stdout).toBe("12:34\n5:6\n");
  // What ran with shifted owners can run again with the same ids.
  await box.start();
  expect(await mapOf(box)).toEqual([0, outside, 65536]);
  expect((await box.exec(["stat", "-c", "%u:%g", "/root/file"])).stdout).toBe("12:34\n");
});

test("a container of a killed daemon keeps its namespace, and a restart its ids", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { HostConfig: { UsernsMode: "auto", Binds: ["vol:/data"] } });
  const before = await mapOf(box);
  await engine.kill9();
  await engine.start();
  expect(await mapOf(box)).toEqual(before);
  expect((await box.exec(["stat", "-c", "%u", "/etc/passwd"])).stdout).toBe("0\n");
  expect(owners(await engine.wire.bytes("GET", `/containers/${box.id}/archive?path=/etc/passwd`))).toEqual({
    passwd: "0/0",
  });
  const other = await engine.run(["sleep", "600"], { HostConfig: { UsernsMode: "auto" } });
  expect((await mapOf(other))[1]).not.toBe(before[1] ?? 0);
  await box.stop(0);
  await box.start();
  expect(await mapOf(box)).toEqual(before);
});

test("mounts that a crash left in the middle of a start go, and the layers behind them stay", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["cat", "/data/seed"], { HostConfig: { UsernsMode: "auto" } });
  await engine.kill9();
  const bundle = join(engine.execRoot, "bundles", box.id);
  for (const name of ["rootfs.owners/0", "rootfs.owners/1", "subpaths/0"]) {
    mkdirSync(join(bundle, name), { recursive: true });
    bindMount(join(engine.dataRoot, "layers"), join(bundle, name));
  }
  await engine.start();
  expect(existsSync(bundle)).toBe(false);
  await box.start();
  await box.wait();
  expect((await box.logs()).stdout).toBe("from the image\n");
});

test("terminals belong to the container's own user", async () => {
  await using engine = await startEngine();
  const HostConfig = { UsernsMode: "auto" };
  const box = await engine.run(["sh"], { Tty: true, OpenStdin: true, User: "app", HostConfig });
  using stream = await box.attach();
  stream.write("stat -c '%u %A' $(tty); exit 3\n");
  await stream.until("1000 crw--w----");
  expect(await box.wait()).toBe(3);
  await box.start();
  const inside = await box.exec(["sh", "-c", "stat -c %u $(tty); id -u"], { Tty: true, User: "app" });
  expect(inside.stdout.replaceAll("\r", "")).toBe("1000\n1000\n");
});

test("capabilities reach no further than the namespace", async () => {
  await using engine = await startEngine();
  const HostConfig: Overrides = {
    UsernsMode: "keep",
    CapAdd: ["ALL"],
    SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
  };
  const kept = await output(engine, "cat /proc/self/uid_map | tr -s ' '", HostConfig);
  // Root apart, ids are those of the host.
  expect(kept).toMatch(/^ 0 (?!0 )\d+ 1\n 1 1 \d+\n/);
  const script = [
    "mount -t tmpfs none /tmp && echo own mounts",
    "date -s 2001-01-01",
    "hostname inside && echo own name",
    "mount -o remount,rw /proc/sys; f=/proc/sys/kernel/core_pattern; cat $f >/same; cat /same >$f",
    "mknod /d b 1 1",
  ].join("; ");
  for (const UsernsMode of ["keep", "auto"]) {
    const told = await output(engine, script, { ...HostConfig, UsernsMode });
    expect(told).toContain("own mounts\n");
    expect(told).toContain("own name\n");
    expect(told).toContain("date: can't set date: Operation not permitted");
    expect(told).toContain("mknod: /d: Operation not permitted");
    expect(told).toMatch(/core_pattern: (Read-only file system|Permission denied)/);
  }
});

test("containers that share namespaces share the user namespace", async () => {
  await using engine = await startEngine();
  const first = await engine.run(["sleep", "600"], {
    name: "first",
    HostConfig: { UsernsMode: "auto", IpcMode: "shareable" },
  });
  const joined = await engine.run(["sleep", "600"], {
    HostConfig: { NetworkMode: "container:first", IpcMode: "container:first", PidMode: "container:first" },
  });
  // The daemon gives no user namespace by default, hence none to the one that joins.
  expect(await mapOf(joined)).toEqual([0, 0, 4294967295]);
  await expect(
    engine.create(["true"], { HostConfig: { UsernsMode: "auto", NetworkMode: "container:first" } }),
  ).rejects.toMatchObject({
    status: 400,
    message: "conflicting options: a user namespace of its own and the namespaces of another container",
  });
  expect((await first.inspect()).State.Running).toBe(true);
});

test("a remapping daemon gives every container the same ids, and lets some go without", async () => {
  await using engine = await startEngine({ arguments: ["--userns-remap", "default", "--no-new-privileges"] });
  const { SecurityOptions } = await engine.wire.json<SystemInfo>("GET", "/info");
  expect(SecurityOptions).toContain("name=userns");
  expect(SecurityOptions).toContain("name=no-new-privileges");
  const box = await engine.run(["sleep", "600"], { name: "first", HostConfig: { IpcMode: "shareable" } });
  const [, outside = 0, size] = await mapOf(box);
  expect(outside).toBeGreaterThan(0);
  expect((await box.inspect()).HostConfig.UsernsMode).toBe("");
  expect(await output(engine, "cat /proc/self/uid_map | tr -s ' '; stat -c %u /etc/passwd", {})).toBe(
    ` 0 ${outside} ${size}\n0\n`,
  );
  expect(await output(engine, "cat /proc/self/uid_map | tr -s ' '", { UsernsMode: "host" })).toBe(" 0 0 4294967295\n");
  const nnp = "grep NoNewPrivs /proc/self/status";
  expect(await output(engine, nnp, {})).toBe("NoNewPrivs:\t1\n");
  expect(await output(engine, nnp, { SecurityOpt: ["no-new-privileges=false"] })).toBe("NoNewPrivs:\t0\n");
  const joins: Overrides = { NetworkMode: "container:first", IpcMode: "container:first", PidMode: "container:first" };
  expect(
    await output(engine, "cat /proc/self/uid_map | tr -s ' '; touch /dev/shm/x && ps | grep -c 'sleep 60[0]'", joins),
  ).toBe(` 0 ${outside} ${size}\n1\n`);
  for (const [overrides, message] of [
    [{ Privileged: true }, /^privileged mode is incompatible with user namespaces\. {2}You must run/],
    [{ NetworkMode: "host" }, /^cannot share the host's network namespace when user namespaces are enabled$/],
    [{ PidMode: "host" }, /^cannot share the host PID namespace when user namespaces are enabled$/],
  ] as const) {
    await expect(engine.create(["true"], { HostConfig: overrides })).rejects.toMatchObject({
      status: 400,
      message: expect.stringMatching(message) as string,
    });
  }
  expect(await output(engine, "echo ok", { Privileged: true, UsernsMode: "host", NetworkMode: "host" })).toBe("ok\n");
});

test("what cannot be had is refused", async () => {
  await using engine = await startEngine();
  const asked = await engine.create(["true"], { HostConfig: { SecurityOpt: ["userns=keep"] } });
  // For clients that take no other mode than Docker's.
  expect((await asked.inspect()).HostConfig.UsernsMode).toBe("keep");
  for (const UsernsMode of ["x", "auto:size=0", "auto:", "container:x"]) {
    await expect(engine.create(["true"], { HostConfig: { UsernsMode } })).rejects.toMatchObject({
      status: 400,
      message: `invalid USER mode: ${UsernsMode}`,
    });
  }
  const few = await engine.create(["true"], { User: "7", HostConfig: { UsernsMode: "auto:size=7" } });
  await expect(few.start()).rejects.toMatchObject({
    status: 400,
    message: "user 7 has no id in the container's user namespace: choose a larger one",
  });
  const other = await engine.run(["sleep", "600"], { HostConfig: { UsernsMode: "auto:size=7" } });
  const refused = await other.exec(["true"], { User: "0:7" });
  expect(refused).toMatchObject({
    code: 126,
    stderr: expect.stringContaining("group 7 has no id in the container's user namespace") as string,
  });
  const box = await engine.create(["true"], { HostConfig: { UsernsMode: "auto", Binds: ["/sys:/mnt"] } });
  await expect(box.start()).rejects.toMatchObject({
    status: 503,
    message: expect.stringMatching(/^cannot map the owners of the files in \/sys into a user namespace: /) as string,
  });
});
