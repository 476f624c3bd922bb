import { afterEach, beforeEach, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#lib/log.ts";
import { Inotify } from "#linux/inotify.ts";
import type { LogBounds } from "./bounds.ts";
import { LogKeeper, settleLog } from "./keeper.ts";
import { type LogOptions, readLog } from "./reader.ts";
import { numberLive, prepareNext, preparedPath, segmentPath } from "./segments.ts";
import { FakeMonitor, record } from "./testing.ts";

let inotify: Inotify;
let folder: string;
let path: string;
beforeEach(() => {
  inotify = new Inotify();
  folder = mkdtempSync(join(tmpdir(), "berth-keep-"));
  path = join(folder, "log");
});
afterEach(() => {
  inotify[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const bounds = (change: Partial<LogBounds> = {}): LogBounds => ({
  maxSize: 1000,
  maxFiles: 4,
  compress: false,
  ...change,
});
const line = (number: number) => record(number % 60, "stdout", "F", String(number));
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join("");
const texts = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");

async function read(options: Partial<LogOptions> = {}): Promise<string> {
  const chunks: Uint8Array[] = [];
  const asked = { stdout: true, stderr: true, tty: true, scratch: folder, ...options };
  for await (const chunk of readLog(path, asked, inotify)) chunks.push(chunk.slice());
  return Buffer.concat(chunks).toString();
}

function rotate(monitor: FakeMonitor): void {
  numberLive(path);
  prepareNext(path);
  monitor.reopen();
}

test("a log is read across its files, joined where a line is in two, and tailed", async () => {
  using monitor = new FakeMonitor(path);
  monitor.write(lines(0, 10) + record(10, "stdout", "P", "be"));
  rotate(monitor);
  monitor.write(record(10, "stdout", "P", "gin"));
  rotate(monitor);
  monitor.write(record(10, "stdout", "F", "ning") + lines(11, 20));
  const all = `${texts(0, 10)}beginning\n${texts(11, 20)}`;
  expect(await read()).toBe(all);
  expect(await read({ tail: 9 })).toBe(texts(11, 20));
  expect(await read({ tail: 10 })).toBe(`beginning\n${texts(11, 20)}`);
  expect(await read({ tail: 11 })).toBe(`9\nbeginning\n${texts(11, 20)}`);
  expect(await read({ tail: 100 })).toBe(all);
  expect(await read({ tail: 0 })).toBe("");
  await settleLog(path, bounds({ compress: true }));
  expect(readdirSync(folder).toSorted()).toEqual(["log", "log.00000001.zst", "log.00000002.zst", "log.00000003"]);
  expect(await read()).toBe(all);
  expect(await read({ tail: 11 })).toBe(`9\nbeginning\n${texts(11, 20)}`);
  expect(readdirSync(folder)).toHaveLength(4);
});

test("a reopen too many loses nothing", async () => {
  using monitor = new FakeMonitor(path);
  monitor.write(lines(0, 5));
  rotate(monitor);
  monitor.write(lines(5, 10));
  monitor.reopen();
  monitor.write(lines(10, 15));
  expect(await read()).toBe(texts(0, 15));
  rotate(monitor);
  monitor.write(lines(15, 20));
  expect(await read()).toBe(texts(0, 20));
  expect(await read({ tail: 12 })).toBe(texts(8, 20));
});

test("a daemon that dies between any two steps leaves a log that the next one puts right", async () => {
  const steps = [() => numberLive(path), () => prepareNext(path), () => prepareNext(path)];
  for (let done = 0; done <= steps.length; done++) {
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), "berth-keep-"));
    path = join(folder, "log");
    using monitor = new FakeMonitor(path);
    monitor.write(lines(0, 30));
    for (const step of steps.slice(0, done)) step();
    if (done === 2) rmSync(preparedPath(path));
    expect(await read()).toBe(texts(0, 30));
    rotate(monitor);
    monitor.write(lines(30, 40));
    expect(await read()).toBe(texts(0, 40));
    await settleLog(path, bounds());
    expect(await read()).toBe(texts(0, 40));
  }
});

test("halves of compressed and cut files are removed, and doubles read once", async () => {
  using monitor = new FakeMonitor(path);
  monitor.write(lines(0, 10));
  rotate(monitor);
  monitor.write(lines(10, 20));
  const first = segmentPath(path, 1);
  copyFileSync(first, join(folder, "whole"));
  await settleLog(path, bounds({ compress: true }));
  copyFileSync(join(folder, "whole"), first);
  writeFileSync(`${first}.new`, "half");
  writeFileSync(`${segmentPath(path, 2)}.zst.new`, "half");
  expect(await read()).toBe(texts(0, 20));
  await settleLog(path, bounds({ compress: true }));
  expect(readdirSync(folder).toSorted()).toEqual(["log", "log.00000001.zst", "log.00000002", "whole"]);
  expect(await read()).toBe(texts(0, 20));
});

test("what grew without bounds is cut to them, from its oldest line on", async () => {
  writeFileSync(path, lines(0, 1000));
  await settleLog(path, bounds());
  const kept = await read();
  expect(kept).toEndWith("\n999\n");
  expect(texts(0, 1000)).toEndWith(`\n${kept}`);
  const onDisk = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(onDisk()).toBeGreaterThan(2500);
  expect(onDisk()).toBeLessThanOrEqual(3000);
  // Newer ones take the room of the old one.
  using monitor = new FakeMonitor(path);
  monitor.write(lines(1000, 1020));
  rotate(monitor);
  await settleLog(path, bounds());
  expect(onDisk()).toBeLessThanOrEqual(3100);
  expect(await read()).toEndWith(texts(962, 1020));
});

test("rotates while it is written, within bounds, and a follower sees every line once", async () => {
  const keeper = new LogKeeper(inotify, silentLogger);
  using monitor = new FakeMonitor(path);
  const stopped = new AbortController();
  const following = read({ follow: true, stopped: stopped.signal });
  const wide = bounds({ maxSize: 20_000, maxFiles: 100, compress: true });
  keeper.watch("id", { path, bounds: wide, reopen: () => monitor.reopen() });
  const rotations = () => readdirSync(folder).filter((name) => name.endsWith(".zst")).length;
  let written = 0;
  while (rotations() < 5) {
    monitor.write(lines(written, written + 20));
    written += 20;
    await Bun.sleep(5);
  }
  stopped.abort();
  expect(await following).toBe(texts(0, written));
  await keeper.finish("id", path, wide);
  expect(await read()).toBe(texts(0, written));
  await keeper.finish("id", path, bounds({ maxFiles: 2 }));
  expect(readdirSync(folder).length).toBeLessThanOrEqual(3);
  expect(await read()).toEndWith(`${written - 1}\n`);
});

test("`since` passes over files that are older", async () => {
  using monitor = new FakeMonitor(path);
  monitor.write("damaged beyond reading");
  rotate(monitor);
  monitor.write(lines(0, 2));
  const old = segmentPath(path, 1);
  utimesSync(old, 1000, 1000);
  expect(await read({ since: 2000n * 1_000_000_000n })).toBe(texts(0, 2));
});

test("a rotation that fails is told once and tried again, and loses nothing", async () => {
  const errors: string[] = [];
  const log = { ...silentLogger, error: (_: object, message: string) => void errors.push(message) };
  const keeper = new LogKeeper(inotify, log);
  using monitor = new FakeMonitor(path);
  monitor.write(lines(0, 60));
  const failing = Promise.withResolvers<void>();
  keeper.watch("id", {
    path,
    bounds: bounds(),
    reopen: () => {
      failing.resolve();
      throw new Error("no room");
    },
  });
  await failing.promise;
  await Bun.sleep(100);
  expect(errors).toEqual(["cannot keep a log within its bounds"]);
  expect(await read()).toBe(texts(0, 60));
  await keeper.finish("id", path, bounds());
  expect(await read()).toBe(texts(0, 60));
});
