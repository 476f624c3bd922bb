/** Many clients that change the same containers at the same time: Docker's answers, no deadlock, nothing left behind. */
import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

test("of twenty starts one starts, of twenty stops all are content, of ten removals one removes", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sleep", "600"]);
  const starts = await statuses(20, () => engine.wire.send("POST", `/containers/${box.id}/start`));
  expect(count(starts, 204)).toBe(1);
  expect(count(starts, 304)).toBe(19);
  const stops = await statuses(20, () => engine.wire.send("POST", `/containers/${box.id}/stop?t=0`));
  expect(count(stops, 204) + count(stops, 304)).toBe(20);
  expect(count(stops, 204)).toBeGreaterThan(0);
  await box.start();
  const removals = await statuses(10, () => engine.wire.send("DELETE", `/containers/${box.id}?force=1`));
  expect(count(removals, 204)).toBe(1);
  expect(count(removals, 404) + count(removals, 409)).toBe(9);
});

test("a removal in the middle of a start leaves nothing running", async () => {
  await using engine = await startEngine();
  for (let round = 0; round < 8; round++) {
    const box = await engine.create(["sleep", "600"]);
    const start = box.start().catch(() => undefined);
    await Bun.sleep(round * 8);
    await box.remove({ force: true });
    await start;
    await expect(box.inspect()).rejects.toMatchObject({ status: 404 });
  }
  // Without force it is refused, or it comes before the start.
  const box = await engine.create(["sleep", "600"]);
  const [start, removal] = await Promise.allSettled([box.start(), box.remove()]);
  expect([start.status, removal.status].toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(await engine.leftovers()).toEqual([]);
});

test("ten clients doing everything to three containers for some seconds", async () => {
  await using engine = await startEngine();
  const names = ["one", "two", "three"];
  const seen = new Map<string, number>();
  const end = Date.now() + 6000;
  const client = async (number: number): Promise<void> => {
    for (let turn = number; Date.now() < end; turn++) {
      const name = names[turn % 3] ?? "one";
      const [what, request] = action(engine, name, Math.floor(Math.random() * 12));
      const answer = await request;
      const body = await answer.text();
      if (![200, 201, 204, 304, 404, 409].includes(answer.status)) {
        const text = `${what} ${answer.status} ${body}`;
        seen.set(text, (seen.get(text) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: 10 }, (_, number) => client(number)));
  expect([...seen.keys()]).toEqual([]);
  for (const { Id } of await engine.list()) await engine.remove(Id, { force: true });
  expect(await engine.leftovers()).toEqual([]);
}, 60_000);

test("a restart is one step for those who wait; kill and stop end a paused container", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const { Pid } = (await box.inspect()).State;
  const exit = box.wait("next-exit");
  const restarts = await statuses(4, () => engine.wire.send("POST", `/containers/${box.id}/restart?t=0`));
  expect(count(restarts, 204)).toBe(4);
  expect(await exit).toBe(137);
  const { State } = await box.inspect();
  expect(State.Running).toBe(true);
  expect(State.Pid).not.toBe(Pid);
  for (const end of [() => box.kill(), () => box.stop(0)]) {
    await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
    await end();
    expect((await box.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 137, Paused: false });
    await box.start();
  }
});

test("a client that does not read keeps nobody else waiting", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["sh", "-c", "echo begun >/begun; while :; do cat /bin/busybox; done"]);
  using stalled = await stalledAttachment(engine, box);
  await box.start();
  await until("it hangs at a write", async () => (await box.exec(["cat", "/begun"])).code === 0);
  await box.kill();
  const { FinishedAt } = (await box.inspect()).State;
  await box.start();
  expect((await box.inspect()).State).toMatchObject({ Running: true, FinishedAt });
  await box.remove({ force: true });
  expect(stalled.socket.destroyed).toBe(false);
});

test("stop: 0 kills at once, -1 and a century wait for the program", async () => {
  await using engine = await startEngine();
  const slow = ["sh", "-c", "trap 'sleep 1; exit 5' TERM; echo set; while :; do usleep 10000; done"];
  const run = async (): Promise<Box> => {
    const box = await engine.run(slow);
    await until("the trap is set", async () => (await box.logs()).stdout !== "");
    return box;
  };
  const [at0, never, long] = await Promise.all([run(), run(), run()]);
  await Promise.all([at0?.stop(0), never?.stop(-1), long?.stop(3_000_000_000)]);
  expect((await at0?.inspect())?.State.ExitCode).toBe(137);
  expect((await never?.inspect())?.State.ExitCode).toBe(5);
  expect((await long?.inspect())?.State.ExitCode).toBe(5);
});

test("--rm removes after a failed start too, and says why it failed", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["no-such-program"], { HostConfig: { AutoRemove: true } });
  await expect(box.start()).rejects.toMatchObject({ message: expect.stringContaining("executable file not found") });
  await expect(box.inspect()).rejects.toMatchObject({ status: 404 });
});

test("a wait for not-running is told of the exit that a policy answers with a restart", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], {
    HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } },
  });
  const waiting = box.wait("not-running");
  process.kill((await box.inspect()).State.Pid, "SIGKILL");
  expect(await waiting).toBe(137);
  await until("it runs again", async () => (await box.inspect()).State.Running);
});

/** Attached, and not reading what comes after the response's head. */
async function stalledAttachment(engine: Engine, { id }: Box): Promise<{ socket: Socket } & Disposable> {
  const socket = connect(engine.socket);
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(
    `POST /v1.50/containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n` +
      "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  return { socket, [Symbol.dispose]: () => socket.destroy() };
}

function action(engine: Engine, name: string, number: number): [string, Promise<Response>] {
  const send = (method: string, path: string, body?: object) =>
    [`${method} ${path}`, engine.wire.send(method, path, { body })] as [string, Promise<Response>];
  const create = { Image: "berth-test", Cmd: ["sleep", "600"] };
  switch (number) {
    case 0:
    case 1:
      return send("POST", `/containers/create?name=${name}`, create);
    case 2:
    case 3:
    case 4:
      return send("POST", `/containers/${name}/start`);
    case 5:
      return send("POST", `/containers/${name}/stop?t=0`);
    case 6:
      return send("DELETE", `/containers/${name}?force=1`);
    case 7:
      return send("POST", `/containers/${name}/rename?name=${name}${Math.floor(Math.random() * 2)}`);
    case 8:
      return send("GET", `/containers/${name}/json`);
    case 9:
      return send("POST", `/containers/${name}/kill`);
    case 10:
      return send("POST", `/containers/${name}/restart?t=0`);
    default:
      return send("POST", `/containers/${name}/exec`, { Cmd: ["true"] });
  }
}

async function statuses(number: number, request: () => Promise<Response>): Promise<number[]> {
  return await Promise.all(
    Array.from({ length: number }, async () => {
      const answer = await request();
      await answer.bytes();
      return answer.status;
    }),
  );
}

function count(all: readonly number[], status: number): number {
  return all.filter((one) => one === status).length;
}
