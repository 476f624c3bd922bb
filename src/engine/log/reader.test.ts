import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTime } from "#lib/time.ts";
import { Inotify } from "#linux/inotify.ts";
import { type LogOptions, readLog } from "./reader.ts";
import { record } from "./testing.ts";

let inotify: Inotify;
let folder: string;
let path: string;
beforeEach(() => {
  inotify = new Inotify();
  folder = mkdtempSync(join(tmpdir(), "berth-log-"));
  path = join(folder, "log");
});
afterEach(() => {
  inotify[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const both = { stdout: true, stderr: true };

async function read(options: Partial<LogOptions>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readLog(path, { ...both, tty: true, scratch: folder, ...options }, inotify))
    chunks.push(chunk.slice());
  return Buffer.concat(chunks).toString();
}

test("gives lines, joins partial ones and keeps streams apart", async () => {
  writeFileSync(
    path,
    record(1, "stdout", "P", "be") + record(1, "stdout", "F", "gin") + record(2, "stderr", "F", "oops"),
  );
  expect(await read({})).toBe("begin\noops\n");
  expect(await read({ stderr: false })).toBe("begin\n");
  expect(await read({ tty: false })).toBe("\x01\0\0\0\0\0\0\x02be\x01\0\0\0\0\0\0\x04gin\n\x02\0\0\0\0\0\0\x05oops\n");
  expect(await read({ timestamps: true })).toBe(
    "2026-11-24T04:00:01.000000001Z begin\n2026-11-24T04:00:02.000000001Z oops\n",
  );
  expect(await read({ details: "a=b" })).toBe("a=b begin\na=b oops\n");
});

test("tail, since and until", async () => {
  const lines = Array.from({ length: 20 }, (_, second) => record(second, "stdout", "F", `line ${second}`));
  writeFileSync(path, lines.join(""));
  expect(await read({ tail: 2 })).toBe("line 18\nline 19\n");
  expect(await read({ tail: 0 })).toBe("");
  expect(await read({ tail: 100 })).toStartWith("line 0\n");
  const at = (second: number) => parseTime(`2026-11-24T04:00:${String(second).padStart(2, "0")}.000000001Z`) ?? 0n;
  expect(await read({ since: at(17), until: at(18) })).toBe("line 17\nline 18\n");
  expect(await read({ since: at(18) + 1n })).toBe("line 19\n");
});

test("records longer than a block are whole, and the tail is found across blocks", async () => {
  const long = "x".repeat(700_000);
  writeFileSync(
    path,
    record(1, "stdout", "F", "first") + record(1, "stdout", "F", long) + record(2, "stdout", "F", "last"),
  );
  expect(await read({})).toBe(`first\n${long}\nlast\n`);
  expect(await read({ tail: 2 })).toBe(`${long}\nlast\n`);
});

test("a line of many records counts once", async () => {
  const parts = Array.from({ length: 13 }, () => record(1, "stdout", "P", "x".repeat(100))).join("");
  writeFileSync(
    path,
    record(0, "stdout", "F", "first") + parts + record(1, "stdout", "F", "") + record(2, "stdout", "F", "end"),
  );
  expect(await read({ tail: 1 })).toBe("end\n");
  expect(await read({ tail: 2 })).toBe(`${"x".repeat(1300)}\nend\n`);
  expect(await read({ tail: 3 })).toStartWith("first\n");
});

test("an absent log is empty", async () => {
  expect(await read({})).toBe("");
});

test("follows what is written, through a truncation, and ends drained when the container stops", async () => {
  writeFileSync(path, record(1, "stdout", "F", "one"));
  const stopped = new AbortController();
  const stream = readLog(path, { ...both, tty: true, scratch: folder, follow: true, stopped: stopped.signal }, inotify);
  const next = async () => Buffer.from((await stream.next()).value ?? []).toString();
  expect(await next()).toBe("one\n");
  appendFileSync(path, record(2, "stdout", "F", "two"));
  expect(await next()).toBe("two\n");
  appendFileSync(path, record(3, "stdout", "F", "three").slice(0, 50));
  const third = next();
  appendFileSync(path, record(3, "stdout", "F", "three").slice(50));
  expect(await third).toBe("three\n");
  truncateSync(path, 0);
  appendFileSync(path, record(4, "stdout", "F", "4"));
  expect(await next()).toBe("4\n");
  appendFileSync(path, record(5, "stdout", "F", "last words"));
  stopped.abort();
  expect(await next()).toBe("last words\n");
  expect((await stream.next()).done).toBe(true);
});

test("a follower that leaves ends at once", async () => {
  writeFileSync(path, "");
  const leaving = new AbortController();
  const stream = readLog(path, { ...both, tty: true, scratch: folder, follow: true }, inotify, leaving.signal);
  const ended = stream.next();
  leaving.abort();
  expect((await ended).done).toBe(true);
});

test("follows into the file that takes the path", async () => {
  writeFileSync(path, record(1, "stdout", "F", "old"));
  const stream = readLog(path, { ...both, tty: true, scratch: folder, follow: true }, inotify);
  const next = async () => Buffer.from((await stream.next()).value ?? []).toString();
  expect(await next()).toBe("old\n");
  const second = next();
  appendFileSync(path, record(2, "stdout", "F", "last of the old"));
  writeFileSync(join(folder, "fresh"), record(3, "stdout", "F", "new"));
  renameSync(join(folder, "fresh"), path);
  expect(await second).toBe("last of the old\n");
  expect(await next()).toBe("new\n");
  const third = next();
  appendFileSync(path, record(4, "stdout", "F", "newer"));
  expect(await third).toBe("newer\n");
  await stream.return(undefined);
});

test("a follower sees each line although they come at once after another", async () => {
  writeFileSync(path, "");
  const stream = readLog(path, { ...both, tty: true, scratch: folder, follow: true }, inotify);
  for (let line = 0; line < 300; line++) {
    const next = stream.next();
    appendFileSync(path, record(line % 60, "stdout", "F", String(line)));
    expect(Buffer.from((await next).value ?? []).toString()).toBe(`${line}\n`);
  }
  await stream.return(undefined);
});
