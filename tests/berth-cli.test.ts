/** Berth's own command line against a real daemon. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

/** stdout of a command that must succeed. */
async function berth(engine: Engine, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.berth(words);
  if (code !== 0) throw new Error(`berth ${words.join(" ")}: exit code ${code}: ${stderr}`);
  return stdout;
}

test("run: output on both streams, exit code, stdin, environment files, --rm", async () => {
  await using engine = await startEngine();
  expect(await engine.berth(["run", "--rm", testImage, "sh", "-c", "echo out; echo err >&2; exit 7"])).toEqual({
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect((await engine.berth(["run", "--rm", "-i", testImage, "wc", "-c"], { stdin: "12345" })).stdout).toBe("5\n");
  const file = join(engine.execRoot, "env");
  await Bun.write(file, "# comment\nA=1\nB=two words\n");
  expect(await berth(engine, "run", "--rm", "--env-file", file, "-e", "A=3", testImage, "sh", "-c", "echo $A $B")).toBe(
    "3 two words\n",
  );
  expect(await berth(engine, "ps", "-aq")).toBe("");
});

test("both spellings give the same, in Docker's tables and templates", async () => {
  await using engine = await startEngine();
  const id = (await berth(engine, "run", "-d", "--name", "one", testImage, "sleep", "600")).trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  const table = await berth(engine, "ps");
  expect(table).toMatch(/^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n/);
  expect(table).toContain(`${id.slice(0, 12)}   ${testImage}   "sleep 600"`);
  expect(await berth(engine, "container", "ls", "-q", "--no-trunc")).toBe(`${id}\n`);
  expect(await berth(engine, "ps", "--format", "{{.ID}} {{.Names}}")).toBe(`${id.slice(0, 12)} one\n`);
  expect(JSON.parse(await berth(engine, "ps", "--format", "json"))).toMatchObject({ Names: "one", State: "running" });
  expect(await berth(engine, "inspect", "-f", "{{.Name}} {{json .State.Running}}", "one")).toBe("/one true\n");
  expect(await berth(engine, "images", "--format", "{{.Repository}}:{{.Tag}}")).toBe(`${testImage}\n`);
});

test("run -it in a real terminal follows its size", async () => {
  await using engine = await startEngine();
  let shown = "";
  const child = Bun.spawn([...engine.program, "run", "-it", "--rm", testImage, "sh"], {
    env: { ...process.env, BERTH_HOST: `unix://${engine.socket}` },
    terminal: { rows: 30, cols: 90, data: (_, bytes) => void (shown += new TextDecoder().decode(bytes)) },
  });
  await until("the prompt", () => shown.includes("#"));
  child.terminal?.write("stty size\n");
  await until("its size", () => shown.includes("30 90"));
  child.terminal?.resize(100, 35);
  await until("the new size", () => {
    child.terminal?.write("stty size\n");
    return shown.includes("35 100");
  });
  child.terminal?.write("exit 4\n");
  expect(await child.exited).toBe(4);
});

test("signals go to the program, whose exit code comes back", async () => {
  await using engine = await startEngine();
  const child = Bun.spawn(
    [
      ...engine.program,
      "run",
      "--rm",
      "--name",
      "signalled",
      testImage,
      "sh",
      "-c",
      "trap 'exit 9' TERM; echo ready; while :; do usleep 20000; done",
    ],
    {
      env: { ...process.env, BERTH_HOST: `unix://${engine.socket}` },
      stdout: "pipe",
    },
  );
  const reader = child.stdout.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe("ready\n");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(9);
});

test("exec, logs, stop, kill, restart, rename, wait, rm", async () => {
  await using engine = await startEngine();
  await berth(engine, "run", "-d", "--name", "box", testImage, "sh", "-c", "echo up; sleep 600");
  expect(
    await berth(engine, "exec", "-w", "/data", "-e", "X=1", "-u", "app", "box", "sh", "-c", "echo $(pwd) $X $(id -un)"),
  ).toBe("/data 1 app\n");
  expect((await engine.berth(["exec", "-i", "box", "cat"], { stdin: "in" })).stdout).toBe("in");
  await until("it logged", async () => (await berth(engine, "logs", "--tail", "1", "box")) === "up\n");
  await berth(engine, "restart", "-t", "0", "box");
  await berth(engine, "rename", "box", "crate");
  expect(await berth(engine, "kill", "crate")).toBe("crate\n");
  expect(await berth(engine, "wait", "crate")).toBe("137\n");
  expect(await berth(engine, "rm", "crate")).toBe("crate\n");
  const { code, stderr } = await engine.berth(["rm", "crate"]);
  expect([code, stderr]).toEqual([1, "Error response from daemon: No such container: crate\n"]);
});

test("images travel by save, load, import, tag, history, commit and rmi", async () => {
  await using engine = await startEngine();
  const file = join(engine.execRoot, "image.tar");
  await berth(engine, "tag", testImage, "copy:1");
  await berth(engine, "save", "-o", file, "copy:1");
  await berth(engine, "rmi", "copy:1", testImage);
  expect(await berth(engine, "images", "-q")).toBe("");
  expect(await berth(engine, "load", "-i", file)).toContain("Loaded image: copy:1");
  await berth(engine, "run", "--name", "changed", "copy:1", "touch", "/new");
  await berth(engine, "commit", "changed", "copy:2");
  expect(await berth(engine, "run", "--rm", "copy:2", "ls", "/new")).toBe("/new\n");
});

test("help, version and completions need no daemon", async () => {
  await using engine = await startEngine({ image: false });
  const offline = { env: { BERTH_HOST: "unix:///nonexistent.sock" } };
  expect((await engine.berth(["--help"], offline)).stdout).toContain("Usage:");
  expect((await engine.berth(["run", "--help"], offline)).stdout).toContain(
    "Usage:  berth run [OPTIONS] IMAGE [COMMAND] [ARG...]",
  );
  expect((await engine.berth(["--version"], offline)).stdout).toMatch(/^Berth version \d+\.\d+\.\d+/);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout } = await engine.berth(["completion", shell], offline);
    expect([shell, code, stdout.length > 100]).toEqual([shell, 0, true]);
  }
  const { code, stderr } = await engine.berth(["ps"], offline);
  expect([code, stderr.includes("unix:///nonexistent.sock")]).toEqual([1, true]);
});
