/** Links of the default bridge: what a container is told of another one, as Docker tells it. */
import { expect, test } from "bun:test";
import type { ContainerSummary } from "#api/types/container.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

const idle = ["sleep", "600"];

async function hostsLines(box: Box, name: string): Promise<string[]> {
  const { stdout } = await box.exec(["cat", "/etc/hosts"]);
  return stdout.split("\n").filter((line) => line.split(/\s+/).includes(name));
}

async function addressOf(box: Box): Promise<string> {
  return (await box.inspect()).NetworkSettings.IPAddress;
}

async function namesOf(engine: Engine, box: Box): Promise<string[]> {
  const all = await engine.wire.json<ContainerSummary[]>("GET", "/containers/json?all=1");
  return all.find(({ Id }) => Id === box.id)?.Names ?? [];
}

test("a link writes hosts and variables, shows in inspect and lists, and follows the other's address", async () => {
  await using engine = await startEngine();
  const db = await engine.run(idle, {
    name: "db",
    Hostname: "store",
    Env: ["COLOUR=red", "SHARED=theirs"],
    ExposedPorts: { "6000/udp": {}, "5433/tcp": {}, "5432/tcp": {} },
  });
  const web = await engine.run(idle, { name: "web", Env: ["OWN=1"], HostConfig: { Links: ["db:my-db", "db"] } });
  const address = await addressOf(db);
  expect(await hostsLines(web, "store")).toEqual([`${address}\tmy-db store db`, `${address}\tdb store`]);
  expect((await web.exec(["ping", "-c", "1", "-W", "5", "my-db"])).code).toBe(0);
  const { stdout } = await web.exec(["env"]);
  const variables = stdout.split("\n").filter((line) => line.startsWith("MY_DB_"));
  expect(variables.toSorted()).toEqual(
    [
      `MY_DB_PORT=tcp://${address}:5432`,
      ...[5432, 5433].flatMap((port) => [
        `MY_DB_PORT_${port}_TCP=tcp://${address}:${port}`,
        `MY_DB_PORT_${port}_TCP_ADDR=${address}`,
        `MY_DB_PORT_${port}_TCP_PORT=${port}`,
        `MY_DB_PORT_${port}_TCP_PROTO=tcp`,
      ]),
      `MY_DB_PORT_6000_UDP=udp://${address}:6000`,
      `MY_DB_PORT_6000_UDP_ADDR=${address}`,
      `MY_DB_PORT_6000_UDP_PORT=6000`,
      `MY_DB_PORT_6000_UDP_PROTO=udp`,
      `MY_DB_PORT_5432_TCP_START=tcp://${address}:5432`,
      `MY_DB_PORT_5432_TCP_PORT_START=5432`,
      `MY_DB_PORT_5432_TCP_END=tcp://${address}:5433`,
      `MY_DB_PORT_5432_TCP_PORT_END=5433`,
      "MY_DB_NAME=/web/my-db",
      "MY_DB_ENV_COLOUR=red",
      "MY_DB_ENV_SHARED=theirs",
    ].toSorted(),
  );
  expect((await web.inspect()).HostConfig.Links).toEqual(["/db:/web/my-db", "/db:/web/db"]);
  expect((await web.inspect()).Config.Env).not.toContain("MY_DB_NAME=/web/my-db");
  expect(await namesOf(engine, db)).toEqual(["/db", "/web/my-db", "/web/db"]);

  await db.kill();
  await db.wait();
  const between = await engine.run(idle);
  await db.start();
  const next = await addressOf(db);
  expect(next).not.toBe(await addressOf(between));
  expect(await hostsLines(web, "my-db")).toEqual([`${next}\tmy-db store db`]);

  await engine.wire.bytes("DELETE", "/containers/web/my-db?link=1");
  expect(await hostsLines(web, "my-db")).toEqual([]);
  expect((await web.inspect()).HostConfig.Links).toEqual(["/db:/web/db"]);
  const own = engine.wire.bytes("DELETE", "/containers/web?link=1");
  await expect(own).rejects.toThrow("Conflict, cannot remove the default link name of the container");
});

test("a link to what does not run, or cannot be linked to, is refused in Docker's words", async () => {
  await using engine = await startEngine();
  const db = await engine.create(idle, { name: "db" });
  const web = await engine.create(idle, { name: "web", HostConfig: { Links: ["db:store"] } });
  await expect(web.start()).rejects.toMatchObject({
    status: 500,
    message: "Cannot link to a non running container: /db AS /web/store",
  });
  await db.start();
  await web.start();
  await engine.run(idle, { name: "hosted", HostConfig: { NetworkMode: "host" } });
  const refused = async (HostConfig: object) => await engine.create(idle, { HostConfig }).catch(String);
  const conflict = (mode: string) =>
    `conflicting options: ${mode} type networking can't be used with links. This would result in undefined behavior`;
  expect(await refused({ Links: ["hosted"] })).toContain(conflict("host"));
  expect(await refused({ Links: ["db"], NetworkMode: "host" })).toContain(conflict("host"));
  expect(await refused({ Links: ["db"], NetworkMode: "container:db" })).toContain(
    "conflicting options: container type network can't be used with links. This would result in undefined behavior",
  );
  expect(await refused({ Links: ["a:b:c"] })).toContain("bad format for links: a:b:c");
});
