/** Completion in the shells themselves: keys are typed into a real one, and what it makes of them is read. */
import { expect, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { output, until } from "./harness/process.ts";

/** A folder with a program called `berth`, which is this one and talks to `engine`. */
async function withProgram(engine: Engine): Promise<Record<string, string>> {
  const program = join(engine.execRoot, "berth");
  const words = engine.program.map((word) => `'${word}'`).join(" ");
  await Bun.write(program, `#!/bin/sh\nexec ${words} "$@"\n`);
  await chmod(program, 0o755);
  return {
    ...(process.env as Record<string, string>),
    PATH: `${engine.execRoot}:${process.env["PATH"]}`,
    BERTH_HOST: `unix://${engine.socket}`,
    HOME: engine.execRoot,
    INPUTRC: "/dev/null",
    TERM: "dumb",
    // zsh takes the keys of the editor that these name, and npm names vi.
    EDITOR: "emacs",
    VISUAL: "emacs",
  };
}

/** Types `keys` into a shell that has read the script and resolves with the command line that came of it. */
async function typed(
  shell: readonly string[],
  env: Record<string, string>,
  setup: string,
  keys: string,
): Promise<string> {
  let shown = "";
  const child = Bun.spawn([...shell], {
    env: { ...env, PS1: "$ " },
    terminal: { rows: 30, cols: 200, data: (_, bytes) => void (shown += new TextDecoder().decode(bytes)) },
  });
  child.terminal?.write(`${setup}; echo set-$((1 + 1))\n`);
  await until(`${shell[0]} is set up:\n${shown}`, () => shown.includes("set-2"));
  // Home, a word before the line, End and Enter: the line becomes the argument of a command that shows it.
  child.terminal?.write(`${keys}\x01echo line: \x05\n`);
  await until(`the completion of ${JSON.stringify(keys)}`, () => /\nline: .*\n/.test(shown.replaceAll("\r", "")));
  child.terminal?.write("exit\n");
  await child.exited;
  return /\nline: (.*)\n/.exec(shown.replaceAll("\r", ""))?.[1]?.trimEnd() ?? "";
}

const cases: [keys: string, line: string][] = [
  ["berth vol\tcr\t", "berth volume create"],
  ["berth run --det\t", "berth run --detach"],
  ["berth run --rm berth-t\t", `berth run --rm ${testImage}`],
  ["berth stop shi\t", "berth stop ship"],
  ["berth volume inspect stor\t", "berth volume inspect store"],
  ["berth network inspect bri\t", "berth network inspect bridge"],
  ["berth run --pull=al\t", "berth run --pull=always"],
];

async function checkAll(shell: readonly string[], setup: string): Promise<void> {
  await using engine = await startEngine();
  const env = await withProgram(engine);
  await engine.create(["true"], { name: "cargo" });
  const box = await engine.run(["sleep", "600"], { name: "ship" });
  await engine.berth(["volume", "create", "store"]);
  for (const [keys, line] of cases) expect(await typed(shell, env, setup, keys)).toBe(line);
  await box.remove({ force: true });
}

test("bash completes verbs, flags, values and names", async () => {
  await checkAll(["bash", "--norc", "--noprofile", "-i"], "source <(berth completion bash)");
});

const zsh = Bun.which("zsh");
test.skipIf(zsh === null)(`zsh does${zsh === null ? " (skipped: no zsh on this machine)" : ""}`, async () => {
  await checkAll(["zsh", "-f", "-i"], "autoload -U compinit; compinit -u; source <(berth completion zsh)");
});

const fish = Bun.which("fish");
test.skipIf(fish === null)(`fish does${fish === null ? " (skipped: no fish on this machine)" : ""}`, async () => {
  await using engine = await startEngine();
  const env = await withProgram(engine);
  const box = await engine.run(["sleep", "600"], { name: "ship" });
  const ask = (line: string) =>
    output(["fish", "--no-config", "-c", `berth completion fish | source; complete -C '${line}'`], { env });
  expect(await ask("berth vol")).toBe("volume\tManage volumes");
  expect(await ask("berth run --det")).toContain("--detach\tRun container in background");
  expect(await ask("berth run berth-t")).toBe(testImage);
  expect(await ask("berth stop ")).toStartWith("ship\t");
  await box.remove({ force: true });
});

test("running and stopped containers are told apart, and -H is heeded", async () => {
  await using engine = await startEngine();
  await engine.create(["true"], { name: "cargo" });
  const box = await engine.run(["sleep", "600"], { name: "ship" });
  const ask = async (...words: string[]) =>
    (await engine.berth(["__complete", "--", ...words])).stdout.split("\n").map((line) => line.split("\t")[0]);
  expect(await ask("stop", "")).toEqual(["ship", ""]);
  expect(await ask("start", "")).toEqual(["cargo", ""]);
  expect(new Set(await ask("rm", "-f", ""))).toEqual(new Set(["cargo", "ship", ""]));
  expect(await ask("-H", "unix:///nonexistent.sock", "rm", "")).toEqual([""]);
  expect(await ask("run", "--env-file", "")).toEqual([":files", ""]);
  expect(await ask("exec", "ship", "")).toEqual([""]);
  await box.remove({ force: true });
});
