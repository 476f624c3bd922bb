/** DNS while daemons come and go: queries wait, none is refused, and names are right at once. */
import { expect, test } from "bun:test";
import type { Box } from "./harness/box.ts";
import { ask, askAll, hammer } from "./harness/dns.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const idle = ["sleep", "600"];

async function pair(engine: Engine): Promise<{ asker: Box; db: Box; address: string }> {
  await engine.wire.json("POST", "/networks/create", { Name: "n", Internal: true });
  const asker = await engine.run(idle, { name: "asker", HostConfig: { NetworkMode: "n" } });
  const db = await engine.run(idle, { name: "db", HostConfig: { NetworkMode: "n" } });
  return { asker, db, address: (await db.inspect()).NetworkSettings.Networks["n"]?.IPAddress ?? "" };
}

test("not one look-up fails while daemons are stopped, killed and started again", async () => {
  await using engine = await startEngine();
  const { asker, address } = await pair(engine);
  const hammering = await hammer(asker, "db", address);
  await engine.restart();
  for (let i = 0; i < 3; i++) {
    await engine.kill9();
    await engine.start();
  }
  expect(await ask(asker, "db")).toMatchObject({ records: [address] });
  const { answered, ...bad } = await hammering.end();
  expect(bad).toEqual({ failed: 0, refused: 0 });
  expect(answered).toBeGreaterThan(100);
});

test("a query that nobody was there for is answered by the next daemon, on UDP and TCP", async () => {
  await using engine = await startEngine();
  const { asker, address } = await pair(engine);
  // While there is one that can tell the pid.
  const namespace = await asker.namespace();
  const waiting = { namespace: async () => namespace };
  await engine.kill9();
  const answers = Promise.all([
    ask(waiting, { name: "db" }, { patience: 30_000 }),
    ask(waiting, { name: "db", transport: "tcp" }, { patience: 30_000 }),
  ]);
  await until("both queries wait", async () => {
    const table = async (name: string) => await Bun.file(namespace.replace("ns/net", `net/${name}`)).text();
    // Bytes in the queue of the server's socket, and of a connection to it.
    return (
      /0B00007F:\w+ 00000000:0000 \w\w 00000000:0*[1-9A-F]/.test(await table("udp")) &&
      /0B00007F:\w+ 0100007F:\w+ 01 00000000:0*[1-9A-F]/.test(await table("tcp"))
    );
  });
  await engine.start();
  for (const answer of await answers) expect(answer).toMatchObject({ code: "NOERROR", records: [address] });
});

test("what changed without a daemon is known to the next: who ended is gone, who lives is found", async () => {
  await using engine = await startEngine();
  const { asker, db } = await pair(engine);
  const { Pid } = (await db.inspect()).State;
  await engine.kill9();
  process.kill(Pid, "SIGKILL");
  await engine.start();
  await db.wait();
  expect(await askAll(asker, [{ name: "asker" }, { name: "db.n" }])).toMatchObject([
    { code: "NOERROR" },
    { records: [] },
  ]);
});

test("the server's sockets are the monitor's and no process of the container's", async () => {
  await using engine = await startEngine();
  const { asker } = await pair(engine);
  const open = await asker.exec(["sh", "-c", "ls -l /proc/1/fd /proc/self/fd"]);
  expect(open.stdout).not.toContain("socket:");
});
