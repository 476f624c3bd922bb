/** Ports that running containers publish and withdraw, with real connections. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { ContainerChanges } from "#api/types/change.ts";
import { ask, listen } from "#engine/network/peers.ts";
import type { Box } from "./harness/box.ts";
import { change } from "./harness/change.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const local = (HostPort = "") => [{ HostIp: "127.0.0.1", HostPort }];

async function publish(engine: Engine, box: Box, PortBindings: NonNullable<ContainerChanges["PortBindings"]>) {
  await change(engine, box, { PortBindings });
}

/** Where a container's port is on the host. */
async function hostPort(box: Box, port = "80/tcp"): Promise<number> {
  return Number((await box.inspect()).NetworkSettings.Ports[port]?.[0]?.HostPort ?? 0);
}

test("a port is published and withdrawn while the container runs, and the record follows", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  await using _listener = await listen(await box.namespace(), "tcp", 80, 81);
  await publish(engine, box, { Add: { "80/tcp": local() } });
  const port = await hostPort(box);
  expect(await ask(undefined, "tcp", "127.0.0.1", port)).not.toBe("refused");
  await publish(engine, box, { Add: { "81": local() }, Remove: [{ Port: "80/tcp" }] });
  expect(await ask(undefined, "tcp", "127.0.0.1", port)).toBe("refused");
  const other = await hostPort(box, "81/tcp");
  expect(await ask(undefined, "tcp", "127.0.0.1", other)).not.toBe("refused");
  expect((await box.inspect()).HostConfig.PortBindings).toEqual({ "81/tcp": local() });
  // Both stay as they are for the next daemon and the next start.
  await engine.kill9();
  await engine.start();
  expect(await hostPort(box, "81/tcp")).toBe(other);
  expect(await ask(undefined, "tcp", "127.0.0.1", other)).not.toBe("refused");
  await publish(engine, box, { Remove: [{ HostPort: String(other), HostIp: "127.0.0.1" }] });
  expect(await ask(undefined, "tcp", "127.0.0.1", other)).toBe("refused");
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  expect((await box.inspect()).NetworkSettings.Ports).toEqual({});
});

test("connections through a withdrawn port end, those through others do not", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], {
    HostConfig: { PortBindings: { "7/tcp": local(), "8/tcp": local() } },
  });
  await using _echo = await echo(await box.namespace());
  const [gone, kept] = [await hostPort(box, "7/tcp"), await hostPort(box, "8/tcp")];
  const [first, second] = [await talk(gone), await talk(kept)];
  await publish(engine, box, { Remove: [{ Port: "7/tcp" }] });
  await until("the connection ends", async () => (await first.say("anybody?")) === "ended");
  expect(await second.say("still here")).toBe("still here");
  first.end();
  second.end();
});

test("what cannot be published is refused, and nothing has changed", async () => {
  await using engine = await startEngine();
  const holder = await engine.run(["sleep", "600"], { HostConfig: { PortBindings: { "80/tcp": local() } } });
  const taken = String(await hostPort(holder));
  const box = await engine.run(["sleep", "600"], { HostConfig: { PortBindings: { "81/tcp": local() } } });
  const before = await box.inspect();
  await expect(
    publish(engine, box, { Add: { "80/tcp": local(taken) }, Remove: [{ Port: "81" }] }),
  ).rejects.toMatchObject({
    status: 500,
    message: expect.stringContaining(`127.0.0.1:${taken} failed: port is already allocated`),
  });
  expect(await box.inspect()).toEqual(before);
  const refusals: [NonNullable<ContainerChanges["PortBindings"]>, number, string][] = [
    [{ Remove: [{ Port: "82/tcp" }] }, 409, "the container does not publish 82/tcp"],
    [{ Remove: [{}] }, 400, "no port is specified to be removed"],
    [{ Add: { "x/tcp": null } }, 400, 'invalid port specification: "x/tcp"'],
  ];
  for (const [changes, status, message] of refusals) {
    await expect(publish(engine, box, changes)).rejects.toMatchObject({
      status,
      message: `Cannot update container ${box.id}: ${message}`,
    });
  }
  const host = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: "host" } });
  await expect(publish(engine, host, { Add: { "80/tcp": local() } })).rejects.toMatchObject({ status: 409 });
});

test("of ports that are published because they are exposed, one can be withdrawn", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], {
    ExposedPorts: { "80/tcp": {}, "81/tcp": {} },
    HostConfig: { PublishAllPorts: true },
  });
  await publish(engine, box, { Remove: [{ Port: "80/tcp" }] });
  const published = async () =>
    Object.entries((await box.inspect()).NetworkSettings.Ports).flatMap(([port, list]) =>
      list === null ? [] : [port],
    );
  expect(await published()).toEqual(["81/tcp"]);
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  expect(await published()).toEqual(["81/tcp"]);
});

test("changes of one container made at once come one after another", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const ports = Array.from({ length: 20 }, (_, index) => `${1000 + index}/tcp`);
  await Promise.all(ports.map((port) => publish(engine, box, { Add: { [port]: local() } })));
  const { NetworkSettings, HostConfig } = await box.inspect();
  expect(Object.keys(NetworkSettings.Ports).toSorted()).toEqual(ports);
  expect(Object.keys(HostConfig.PortBindings ?? {}).toSorted()).toEqual(ports);
  await Promise.all(ports.map((port) => publish(engine, box, { Remove: [{ Port: port }] })));
  expect((await box.inspect()).NetworkSettings.Ports).toEqual({});
  expect(await engine.leftovers()).toEqual([]);
});

/** A program in a network namespace that sends back what it gets, on the ports 7 and 8. */
async function echo(namespace: string): Promise<AsyncDisposable> {
  const program = `for (const port of [7, 8])
    Bun.listen({ hostname: "0.0.0.0", port, socket: { data(s, bytes) { s.write(bytes); } } });
    console.log("ready");`;
  const child = Bun.spawn(["nsenter", `--net=${namespace}`, process.execPath, "-e", program], { stdout: "pipe" });
  const reader = child.stdout.getReader();
  await reader.read();
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** A connection that has been heard already. */
async function talk(port: number): Promise<{ say: (text: string) => Promise<string>; end: () => void }> {
  const socket = connect(port, "127.0.0.1");
  const say = (text: string): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.once("data", (bytes: Buffer) => resolve(bytes.toString()));
    socket.once("error", () => resolve("ended"));
    socket.once("close", () => resolve("ended"));
    socket.write(text);
    return promise;
  };
  await say("hello");
  return { say, end: () => socket.destroy() };
}
