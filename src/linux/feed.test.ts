import { expect, test } from "bun:test";
import { feed } from "./feed.ts";

const child = (script: string) => Bun.spawn(["sh", "-c", script], { stdin: "pipe", stdout: "pipe" });

/** So many chunks of 64 KiB; tells how many were asked for, and whether it was ended early. */
function source(chunks: number, failure?: Error) {
  const seen = { asked: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.asked++ < chunks) controller.enqueue(new Uint8Array(65536));
        else if (failure === undefined) controller.close();
        else controller.error(failure);
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

test("all of it arrives, and then the end", async () => {
  const counter = child("wc -c");
  const { stream } = source(100);
  expect(await feed(stream, counter.stdin, counter.exited)).toBeUndefined();
  expect((await counter.stdout.text()).trim()).toBe(String(100 * 65536));
});

test("a child that does not read holds up the source, and one that has ended ends it", async () => {
  const lazy = child("head -c 70000 >/dev/null");
  const { stream, seen } = source(100_000);
  expect(await feed(stream, lazy.stdin, lazy.exited)).toBeUndefined();
  expect(seen.cancelled).toBe(true);
  expect(seen.asked).toBeLessThan(1000);
});

test("a source that never goes on is ended with the child", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const silent = new ReadableStream<Uint8Array>({ pull: () => promise, cancel: () => resolve() });
  const quick = child("exit 3");
  expect(await feed(silent, quick.stdin, quick.exited)).toBeUndefined();
  await promise;
});

test("the source's failure is told", async () => {
  const counter = child("wc -c");
  const failure = new Error("cut off");
  expect(await feed(source(3, failure).stream, counter.stdin, counter.exited)).toBe(failure);
  expect((await counter.stdout.text()).trim()).toBe(String(3 * 65536));
});
