/** Streams of a container's files, and clients that are slow or gone: neither holds up what happens to the container. */
import { connect } from "node:net";
import { expect, test } from "bun:test";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { tar } from "./harness/tar.ts";

/** More than sockets and pipes hold. */
const large = 32 * 1024 * 1024;

async function boxWithFile(engine: Engine): Promise<Box> {
  const box = await engine.run(["sleep", "600"], { StopSignal: "KILL" });
  expect((await box.exec(["sh", "-c", `head -c ${large} /dev/urandom > /file`])).code).toBe(0);
  return box;
}

/** Reads a first piece, and the rest when it is told to; answers its size, rejects where the stream is cut. */
async function readSlowly(engine: Engine, path: string): Promise<() => Promise<number>> {
  const { body } = await engine.wire.send("GET", path);
  const reader = body?.getReader();
  const first = await reader?.read();
  return async () => {
    let size = first?.value?.length ?? 0;
    for (let step = await reader?.read(); step?.value !== undefined; step = await reader?.read())
      size += step.value.length;
    return size;
  };
}

test("a container stops, starts and goes while a client reads its export", async () => {
  await using engine = await startEngine();
  const box = await boxWithFile(engine);
  const exportOfRunning = await readSlowly(engine, `/containers/${box.id}/export`);
  await box.stop(0);
  const exportOfStopped = await readSlowly(engine, `/containers/${box.id}/export`);
  await box.start();
  expect((await box.exec(["cat", "/etc/group"])).stdout).toContain("staff");
  expect(await exportOfRunning()).toBeGreaterThan(large);
  expect(await exportOfStopped()).toBeGreaterThan(large);
  const last = await readSlowly(engine, `/containers/${box.id}/export`);
  await box.remove({ force: true });
  // What is left of it then is no export any more.
  await Promise.allSettled([last()]);
  expect(await engine.leftovers()).toEqual([]);
});

test("a stop ends the copy out of a running container, so that nobody takes it for whole", async () => {
  await using engine = await startEngine();
  const box = await boxWithFile(engine);
  const copy = await readSlowly(engine, `/containers/${box.id}/archive?path=/file`);
  await box.stop(0);
  await expect(copy()).rejects.toThrow();
  const ofStopped = await readSlowly(engine, `/containers/${box.id}/archive?path=/file`);
  await box.start();
  expect(await ofStopped()).toBeGreaterThan(large);
});

test("a stop ends the copy into a running container, and a start waits for its end", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { StopSignal: "KILL" });
  const content = Promise.withResolvers<void>();
  const archive = tar([{ name: "late", content: "x".repeat(100_000) }]);
  const upload = fetch(`http://localhost/v1.50/containers/${box.id}/archive?path=/`, {
    unix: engine.socket,
    method: "PUT",
    headers: { "Content-Type": "application/x-tar" },
    body: new ReadableStream<Uint8Array>({
      async pull(controller) {
        controller.enqueue(archive.subarray(0, 50_000));
        await content.promise;
        controller.close();
      },
    }),
  });
  await expect(box.stop(0)).resolves.toBeUndefined();
  const answer = await upload;
  expect(answer.status).toBe(409);
  expect(await answer.json()).toEqual({
    message: `container ${box.id} stopped while files were copied into it`,
  });
  content.resolve();
  await box.start();
});

test("a client that is gone before its answer begins leaves the container free", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["true"]);
  // When exactly the end is noticed is chance: before the work begins, or in its midst.
  const paths = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? "export" : "archive?path=/etc"));
  for (const path of paths) {
    const socket = connect({ path: engine.socket, allowHalfOpen: true });
    socket.end(`GET /v1.50/containers/${box.id}/${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    for await (const _ of socket as AsyncIterable<Buffer>);
  }
  await box.remove();
});
