/** conmon, crun, the console and the exit watcher together, on a root file system of one static program. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HijackedConnection } from "#lib/http/hijack.ts";
import { prepareHost } from "#linux/cgroup.ts";
import { createMonitored, execMonitored, type MonitorPrograms, monitorFiles, RuntimeRefusal } from "./conmon.ts";
import { Console } from "./console.ts";
import { Inotify } from "#linux/inotify.ts";
import { ExitWatcher } from "./exits.ts";
import { findProgram, OciRuntime } from "./oci-runtime.ts";

const root = mkdtempSync(join(tmpdir(), "berth-monitor-"));
const rootfs = join(root, "rootfs");
const exits = join(root, "exits");
const programs: MonitorPrograms = {
  conmon: findProgram("conmon"),
  runtime: findProgram("crun"),
  runtimeOptions: ["--root", join(root, "runtime")],
};
const runtime = new OciRuntime(
  () => programs,
  (id) => join(root, "runtime", id),
);
let count = 0;

beforeAll(() => {
  prepareHost();
  mkdirSync(join(rootfs, "bin"), { recursive: true });
  mkdirSync(join(rootfs, "proc"));
  copyFileSync(findProgram("busybox", "busybox-static"), join(rootfs, "bin/busybox"));
  for (const name of ["sh", "cat", "echo", "sleep", "stty"]) symlinkSync("busybox", join(rootfs, "bin", name));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const processSpec = (args: string[], terminal: boolean) => ({
  terminal,
  user: { uid: 0, gid: 0 },
  args,
  env: ["PATH=/bin"],
  cwd: "/",
});

interface Running extends AsyncDisposable {
  id: string;
  bundle: string;
  console: Console;
  start(): Promise<void>;
  exit: Promise<{ code: number }>;
  watcher: ExitWatcher;
}

async function prepare(args: string[], options: { tty?: boolean; stdin?: boolean } = {}): Promise<Running> {
  const { tty = false, stdin = false } = options;
  const id = `monitor-test-${process.pid}-${count++}`;
  const bundle = join(root, id);
  mkdirSync(bundle);
  const config = {
    ociVersion: "1.0.2",
    root: { path: rootfs, readonly: true },
    process: processSpec(args, tty),
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: [] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: [] },
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
    ],
    linux: {
      cgroupsPath: `/berth-test/${id}`,
      namespaces: ["pid", "mount", "ipc", "uts", "network"].map((type) => ({ type })),
    },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  const changes = new Inotify();
  const watcher = new ExitWatcher(exits, changes);
  const exit = watcher.next(id);
  const console = new Console({ tty, stdin, stdinOnce: true });
  return {
    id,
    bundle,
    console,
    exit,
    watcher,
    start: async () => {
      await createMonitored(programs, {
        containerId: id,
        folder: bundle,
        exitFolder: exits,
        logPath: join(bundle, "log"),
        tty,
        stdin,
        leaveStdinOpen: tty,
      });
      await console.open(monitorFiles.attach(bundle));
      await runtime.start(id);
      void exit.then(() => console.close());
    },
    [Symbol.asyncDispose]: async () => {
      await runtime.delete(id);
      watcher.forget(id);
      watcher[Symbol.dispose]();
    },
  };
}

/** A client of the console that keeps what it receives. */
function client(input: AsyncIterable<Uint8Array>): { connection: HijackedConnection; received: () => string } {
  const chunks: Uint8Array[] = [];
  const closed = Promise.withResolvers<void>();
  return {
    connection: {
      readable: input,
      write(chunk) {
        chunks.push(chunk.slice());
        return true;
      },
      end() {},
      destroy: closed.resolve,
      closed: closed.promise,
    },
    received: () => Buffer.concat(chunks).toString("latin1"),
  };
}

async function* typed(...lines: string[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield new TextEncoder().encode(line);
}

async function* silent(): AsyncGenerator<Uint8Array> {
  await Promise.withResolvers<void>().promise;
  yield new Uint8Array();
}

const all = { stdin: true, stdout: true, stderr: true, detachKeys: undefined };

test("a client attached before the start misses nothing, and sees streams apart", async () => {
  await using run = await prepare(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  const { connection, received } = client(silent());
  const attached = run.console.attach(connection, all);
  await run.start();
  expect((await run.exit).code).toBe(3);
  expect(await attached).toBe("ended");
  expect(received()).toContain("\x01\0\0\0\0\0\0\x04out\n");
  expect(received()).toContain("\x02\0\0\0\0\0\0\x04err\n");
  expect(readFileSync(join(run.bundle, "log"), "utf8")).toMatch(/ stdout F out\n/);
});

test("stdin reaches the process and ends with the client's", async () => {
  await using run = await prepare(["cat"], { stdin: true });
  const { connection, received } = client(typed("one\n", "two\n"));
  const attached = run.console.attach(connection, all);
  await run.start();
  expect(await attached).toBe("ended");
  expect((await run.exit).code).toBe(0);
  expect(received().replace(/\x01\0\0\0\0\0\0./g, "")).toBe("one\ntwo\n");
});

test("a terminal is raw, and its detach keys leave the process running", async () => {
  await using run = await prepare(["sh", "-c", "stty -echo; echo ready; cat"], { tty: true, stdin: true });
  const { connection, received } = client(typed("\x10\x11"));
  const attached = run.console.attach(connection, { ...all, detachKeys: Uint8Array.of(16, 17) });
  await run.start();
  expect(await attached).toBe("detached");
  expect(await runtime.status(run.id)).toBe("running");
  expect(received()).not.toContain("\x01\0\0\0");
});

test("execs report their exit code, and a missing program refuses", async () => {
  await using run = await prepare(["sleep", "60"]);
  await run.start();
  const exec = async (args: string[]) => {
    const folder = join(run.bundle, `exec-${count++}`);
    mkdirSync(folder);
    const processFile = join(folder, "process.json");
    writeFileSync(processFile, JSON.stringify(processSpec(args, false)));
    const console = new Console({ tty: false, stdin: false, stdinOnce: true });
    const { connection, received } = client(silent());
    const attached = console.attach(connection, all);
    const request = { containerId: run.id, folder, exitFolder: folder, logPath: undefined, processFile };
    const { exitCode } = await execMonitored(programs, {
      ...request,
      tty: false,
      stdin: false,
      leaveStdinOpen: false,
      onAttachable: () => console.open(monitorFiles.attach(folder)),
    });
    const code = await exitCode;
    await console.close();
    await attached;
    return { code, output: received() };
  };
  expect(await exec(["sh", "-c", "echo hello; exit 7"])).toEqual({ code: 7, output: "\x01\0\0\0\0\0\0\x06hello\n" });
  await expect(exec(["nope"])).rejects.toBeInstanceOf(RuntimeRefusal);
});
