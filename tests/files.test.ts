/** What is in containers: processes, changes, archives in and out. */
import { expect, test } from "bun:test";
import type { FilesystemChange, TopResponse } from "#api/types/container.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { tar } from "./harness/tar.ts";
import { until } from "./harness/process.ts";

async function unpacked(archive: Uint8Array): Promise<Map<string, string>> {
  const files = await new Bun.Archive(archive).files();
  return new Map(await Promise.all([...files].map(async ([name, file]) => [name, await file.text()] as const)));
}

const get = (engine: Engine, box: Box, path: string) =>
  engine.wire.bytes("GET", `/containers/${box.id}/archive?path=${encodeURIComponent(path)}`);
const put = (engine: Engine, box: Box, path: string, body: Uint8Array<ArrayBuffer>, query = "") =>
  engine.wire.bytes("PUT", `/containers/${box.id}/archive?path=${encodeURIComponent(path)}${query}`, { body });

test("top shows a container's processes and no others", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "sleep 600 & exec sleep 601"]);
  const top = async (args = "") =>
    await engine.wire.json<TopResponse>("GET", `/containers/${box.id}/top?ps_args=${encodeURIComponent(args)}`);
  await until(
    "both run",
    async () => (await top()).Processes.filter((row) => row.at(-1)?.startsWith("sleep")).length === 2,
  );
  const { Titles, Processes } = await top();
  expect(Titles).toEqual(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
  expect(Processes.map((row) => row.at(-1) ?? "").toSorted()).toEqual(["sleep 600", "sleep 601"]);
  expect((await top("-o pid,args")).Titles).toEqual(["PID", "COMMAND"]);
  expect((await top("aux")).Processes).toHaveLength(2);
  for (const [args, message] of [
    ["-o args", "Couldn't find PID field in ps output"],
    ["-o ppid=PID", 'specifying "ppid=PID" is not allowed'],
  ] as const) {
    await expect(top(args)).rejects.toMatchObject({ status: 400, message });
  }
  await box.kill();
  await box.wait();
  await expect(top()).rejects.toMatchObject({ status: 409, message: `container ${box.id} is not running` });
});

test("diff lists what was added, changed and deleted, and no mount points", async () => {
  await using engine = await startEngine();
  const script = "echo x >/root/new; echo y >>/data/seed; rm /var/www/index.html; mkdir /deep; touch /deep/er";
  const box = await engine.run(["sh", "-c", script], { HostConfig: { Binds: ["vol:/mounted"] } });
  await box.wait();
  const changes = () => engine.wire.json<FilesystemChange[]>("GET", `/containers/${box.id}/changes`);
  expect((await changes()).map(({ Kind, Path }) => `${"CAD"[Kind]} ${Path}`)).toEqual([
    "C /data",
    "C /data/seed",
    "A /deep",
    "A /deep/er",
    "C /root",
    "A /root/new",
    "C /var",
    "C /var/www",
    "D /var/www/index.html",
  ]);
  const untouched = await engine.run(["sleep", "600"]);
  // As Docker has it for a list that was never begun.
  expect(await engine.wire.json<object | null>("GET", `/containers/${untouched.id}/changes`)).toBeNull();
  const many = await engine.run(["sh", "-c", "mkdir /d; seq 5000 | sed s:^:/d/f: | xargs touch"]);
  await many.wait();
  expect(await engine.wire.json<object[]>("GET", `/containers/${many.id}/changes`)).toHaveLength(5001);
});

test("export is the whole file system without mounts, running or not", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo mine >/root/mine; echo not >/vol/not; sleep 600"], {
    HostConfig: { Binds: ["vol:/vol"] },
  });
  await until("it wrote", async () => (await box.exec(["cat", "/vol/not"])).stdout !== "");
  for (const stop of [false, true]) {
    if (stop) await box.stop(0);
    const files = await unpacked(await engine.wire.bytes("GET", `/containers/${box.id}/export`));
    expect(files.get("root/mine")).toBe("mine\n");
    expect(files.get("data/seed")).toBe("from the image\n");
    expect([...files.keys()].filter((name) => /^(proc|sys|vol)\/./.test(name))).toEqual([]);
  }
  await box.start();
  expect((await box.exec(["cat", "/root/mine"])).stdout).toBe("mine\n");
  await box.remove({ force: true, volumes: true });
  expect(await engine.leftovers()).toEqual([]);
});

test("files are copied out, by file, folder and link", async () => {
  await using engine = await startEngine();
  const script = "ln -s /data /link; ln -s ../../../../etc/passwd /data/out; echo in-volume >/vol/file; sleep 600";
  const box = await engine.run(["sh", "-c", script], { HostConfig: { Binds: ["vol:/vol"] } });
  await until("it wrote", async () => (await box.exec(["cat", "/vol/file"])).stdout !== "");
  expect([...(await unpacked(await get(engine, box, "/data/seed")))]).toEqual([["seed", "from the image\n"]]);
  expect((await unpacked(await get(engine, box, "/data"))).get("data/seed")).toBe("from the image\n");
  expect((await unpacked(await get(engine, box, "/link/"))).get("link/seed")).toBe("from the image\n");
  expect((await unpacked(await get(engine, box, "/vol/file"))).get("file")).toBe("in-volume\n");

  const stat = async (path: string): Promise<object> => {
    const answer = await engine.wire.send("HEAD", `/containers/${box.id}/archive?path=${encodeURIComponent(path)}`);
    expect(answer.status).toBe(200);
    return JSON.parse(
      Buffer.from(answer.headers.get("x-docker-container-path-stat") ?? "", "base64").toString(),
    ) as object;
  };
  expect(await stat("/data/seed")).toMatchObject({ name: "seed", size: 15, mode: 0o640, linkTarget: "" });
  expect(await stat("/data")).toMatchObject({ name: "data", mode: 2 ** 31 + 0o755 });
  expect(await stat("/tmp")).toMatchObject({ mode: 2 ** 31 + 2 ** 20 + 0o777 });
  expect(await stat("/link")).toMatchObject({ name: "link", mode: 2 ** 27 + 0o777, linkTarget: "/data" });
  // A link that climbs stays inside: it is the container's own passwd.
  expect(await stat("/data/out")).toMatchObject({ linkTarget: "/etc/passwd" });
  await expect(get(engine, box, "/none")).rejects.toMatchObject({
    status: 404,
    message: expect.stringMatching(/^Could not find the file \/none in container /) as string,
  });
  await expect(get(engine, box, "")).rejects.toMatchObject({ status: 400 });
});

test("archives are unpacked where a folder is, and nowhere else", async () => {
  await using engine = await startEngine();
  const archive = tar([{ name: "given", content: "hello\n", uid: 7, gid: 8 }]);
  for (const running of [true, false]) {
    const box = await engine.create(["sleep", "600"], { User: "app" });
    if (running) await box.start();
    await put(engine, box, "/root", archive);
    await put(engine, box, "/tmp", archive, "&copyUIDGID=1");
    if (!running) await box.start();
    expect((await box.exec(["cat", "/tmp/given"])).stdout).toBe("hello\n");
    expect((await box.exec(["stat", "-c", "%u:%g", "/tmp/given"])).stdout).toBe("1000:1000\n");
    expect((await box.exec(["stat", "-c", "%u:%g", "/root/given"], { User: "root" })).stdout).toBe("7:8\n");
    await expect(put(engine, box, "/data/seed", archive)).rejects.toMatchObject({
      status: 400,
      message: "extraction point is not a directory",
    });
    await expect(put(engine, box, "/none", archive)).rejects.toMatchObject({ status: 404 });
    const climbing = tar([{ name: "../../escaped", content: "x" }]);
    await put(engine, box, "/tmp", climbing).catch(() => {});
    expect((await box.exec(["cat", "/escaped"])).code).toBe(1);
  }
  // Into a volume before the first start, where the image has no such folder; and into one with content of the image's.
  const fresh = await engine.create(["sleep", "600"], { HostConfig: { Binds: ["first:/new/folder", "second:/data"] } });
  await put(engine, fresh, "/new/folder", archive);
  await put(engine, fresh, "/data", archive);
  expect((await unpacked(await get(engine, fresh, "/new/folder/given"))).get("given")).toBe("hello\n");
  expect((await unpacked(await get(engine, fresh, "/data/seed"))).get("seed")).toBe("from the image\n");
  expect(await Bun.file(`${engine.dataRoot}/volumes/first/_data/given`).text()).toBe("hello\n");
  await fresh.start();
  expect((await fresh.exec(["cat", "/new/folder/given", "/data/given", "/data/seed"])).stdout).toBe(
    "hello\nhello\nfrom the image\n",
  );
  const locked = await engine.run(["sleep", "600"], {
    HostConfig: { ReadonlyRootfs: true, Binds: ["vol:/ro:ro", "vol:/rw"] },
  });
  await expect(put(engine, locked, "/root", archive)).rejects.toMatchObject({
    status: 400,
    message: "container rootfs is marked read-only",
  });
  await expect(put(engine, locked, "/ro", archive)).rejects.toMatchObject({
    status: 400,
    message: "mounted volume is marked read-only",
  });
  await put(engine, locked, "/rw", archive);
  expect((await locked.exec(["cat", "/ro/given"])).stdout).toBe("hello\n");
  expect(await engine.leftovers()).toEqual([]);
});
