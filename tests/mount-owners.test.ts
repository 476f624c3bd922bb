/** `U` and `idmap`: a mount shows other owners than those on disk, which nothing changes. */
import { expect, test } from "bun:test";
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { HostConfig } from "#api/types/container-config.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

/** A folder of user 1234, with a file of his and one of somebody else. */
function folderOf1234(): Disposable & { path: string } {
  const path = mkdtempSync("/var/tmp/bt-owners-");
  for (const [name, id] of [
    ["his", 1234],
    ["other", 77],
  ] as const) {
    writeFileSync(`${path}/${name}`, "");
    chownSync(`${path}/${name}`, id, id);
  }
  chownSync(path, 1234, 1234);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

async function output(engine: Engine, script: string, User: string, host: Partial<HostConfig>): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], { User, HostConfig: host });
  await box.wait();
  return (await box.logs()).stdout;
}

const show = "cd /v; stat -c '%n %u:%g' . his other; touch new; stat -c '%n %u:%g' new";

test("U gives what belongs to the folder's owner to the container's user, and back", async () => {
  await using engine = await startEngine();
  using folder = folderOf1234();
  const seen = ". 500:600\nhis 500:600\nother 77:77\nnew 500:600\n";
  expect(await output(engine, show, "500:600", { Binds: [`${folder.path}:/v:U`] })).toBe(seen);
  expect([statSync(`${folder.path}/new`).uid, statSync(`${folder.path}/new`).gid]).toEqual([1234, 1234]);
  expect(statSync(folder.path).uid).toBe(1234);
  // With a namespace too, and by --mount.
  const spec = `type=bind,src=${folder.path},dst=/v,U=true`;
  const script = "stat -c %u /v/his; touch /v/second";
  const run = ["run", "--rm", "-u", "5:6", "--userns=auto", "--mount", spec, "berth-test", "sh", "-c", script];
  expect(await engine.berth(run)).toMatchObject({ code: 0, stdout: "5\n" });
  expect(statSync(`${folder.path}/second`).uid).toBe(1234);
});

test("U makes a volume usable whoever it was filled by, also for cp and on the live path", async () => {
  await using engine = await startEngine();
  await output(engine, "chown 1234:1234 /v; touch /v/x; chown 1234:1234 /v/x", "", { Binds: ["data:/v"] });
  const box = await engine.run(["sleep", "600"], { User: "5:6" });
  await engine.wire.json("POST", `/containers/${box.id}/update`, { Changes: { Binds: { Add: ["data:/v:U"] } } });
  expect((await box.exec(["stat", "-c", "%u:%g", "/v/x"])).stdout).toBe("5:6\n");
  await box.stop(0);
  await box.start();
  expect((await box.exec(["stat", "-c", "%u:%g", "/v/x"])).stdout).toBe("5:6\n");
  await box.stop(0);
  const listed = await engine.berth(["cp", `${box.id}:/v/x`, "-"]);
  // Owner and group in the header of the tar.
  const field = (start: number): number => Number.parseInt(listed.stdout.slice(start, start + 7), 8);
  expect([field(108), field(116)]).toEqual([5, 6]);
});

test("idmap takes a map, or that of the container's namespace", async () => {
  await using engine = await startEngine();
  using folder = folderOf1234();
  const map = "idmap=uids=1234-0-1#0-1-1;gids=1234-9-1#0-0-1";
  expect(await output(engine, "stat -c '%u:%g' /v; touch /v/y", "0:9", { Binds: [`${folder.path}:/v:${map}`] })).toBe(
    "0:9\n",
  );
  expect(statSync(`${folder.path}/y`).uid).toBe(1234);
  const inside = { Binds: [`${folder.path}:/v:idmap`] };
  expect(await output(engine, "stat -c '%u:%g' /v", "", { ...inside, UsernsMode: "auto" })).toBe("1234:1234\n");
  await expect(engine.run(["true"], { HostConfig: inside })).rejects.toThrow("needs a user namespace");
  await expect(engine.create(["true"], { HostConfig: { Binds: [`${folder.path}:/v:idmap=uids=1`] } })).rejects.toThrow(
    "invalid idmap option uids=1: 1 is not FROM-TO-SIZE",
  );
  await expect(engine.create(["true"], { HostConfig: { Binds: ["/proc:/v:U,idmap"] } })).rejects.toThrow(
    "invalid mode",
  );
});

test("a file system without idmapped mounts is told", async () => {
  await using engine = await startEngine();
  const binds = { User: "5:6", HostConfig: { Binds: ["/sys/kernel:/v:U"] } };
  await expect(engine.run(["true"], binds)).rejects.toMatchObject({
    status: 503,
    message: expect.stringContaining("no idmapped mounts"),
  });
});
