/** Interactive commands in a real terminal: keys, signals, sizes, and the terminal as it was at the end. */
import { expect, test } from "bun:test";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

/** A command under a shell that shows its exit code, and whether the terminal has its old settings again. */
class Screen implements Disposable {
  shown = "";
  readonly #child: Bun.Subprocess;

  constructor(engine: Engine, words: readonly string[]) {
    const line = [...engine.program, ...words].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
    const script = `before=$(stty -g); ${line}; code=$?; [ "$before" = "$(stty -g)" ] && echo "ended $code"`;
    this.#child = Bun.spawn(["sh", "-c", script], {
      env: { ...process.env, BERTH_HOST: `unix://${engine.socket}`, BERTH_CONFIG: engine.execRoot },
      terminal: { rows: 30, cols: 90, data: (_, bytes) => void (this.shown += new TextDecoder().decode(bytes)) },
    });
  }

  type(keys: string): void {
    this.#child.terminal?.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.#child.terminal?.resize(columns, rows);
  }

  /** Waits for `text` in what came since the last call. */
  async sees(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} on the screen`, () => this.shown.includes(text)).catch((error: unknown) => {
      throw new Error(`never seen; the screen shows ${JSON.stringify(this.shown)}`, { cause: error });
    });
    this.shown = this.shown.slice(this.shown.indexOf(text) + text.length);
  }

  /** The process of the command itself. */
  async pid(): Promise<number> {
    const path = `/proc/${this.#child.pid}/task/${this.#child.pid}/children`;
    return await until("the command runs", async () => {
      const pids = (await Bun.file(path).text()).trim().split(" ").filter(Boolean);
      return pids.length === 1 ? Number(pids[0]) : undefined;
    });
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    this.#child.terminal?.close();
  }
}

test("the exit code comes back and the terminal is as it was", async () => {
  await using engine = await startEngine();
  using screen = new Screen(engine, ["run", "-it", "--rm", testImage, "sh"]);
  await screen.sees("# ");
  screen.type("exit 7\n");
  await screen.sees("ended 7");
});

test("output passes as it is: no line feed becomes two characters", async () => {
  await using engine = await startEngine();
  using screen = new Screen(engine, [
    "run",
    "-it",
    "--rm",
    testImage,
    "sh",
    "-c",
    "stty -opost; printf 'a\\nb'; read x",
  ]);
  await screen.sees("a\nb");
  screen.type("\r\n");
  await screen.sees("ended 0");
});

test("Ctrl-C goes to the program in the container", async () => {
  await using engine = await startEngine();
  const program = "trap 'echo caught; exit 9' INT; echo ready; while :; do usleep 20000; done";
  using screen = new Screen(engine, ["run", "-it", "--rm", testImage, "sh", "-c", program]);
  await screen.sees("ready");
  screen.type("\x03");
  await screen.sees("caught");
  await screen.sees("ended 9");
});

test("Ctrl-P Ctrl-Q leaves the container running, attach comes back to it", async () => {
  await using engine = await startEngine();
  {
    using screen = new Screen(engine, ["run", "-it", "--name", "kept", testImage, "sh"]);
    await screen.sees("# ");
    screen.type("\x10\x11");
    await screen.sees("ended 0");
  }
  expect((await engine.berth(["inspect", "-f", "{{.State.Running}}", "kept"])).stdout).toBe("true\n");
  {
    using screen = new Screen(engine, ["attach", "--detach-keys", "ctrl-x,y", "kept"]);
    screen.type("echo sum-$((40 + 2))\n");
    await screen.sees("sum-42");
    screen.type("\x18y");
    await screen.sees("read escape sequence");
    await screen.sees("ended 1");
  }
  using screen = new Screen(engine, ["attach", "kept"]);
  screen.type("exit 3\n");
  await screen.sees("ended 3");
});

test("the detach keys may come from the configuration", async () => {
  await using engine = await startEngine();
  await Bun.write(`${engine.execRoot}/config.json`, JSON.stringify({ detachKeys: "ctrl-a" }));
  const box = await engine.run(["sleep", "600"]);
  using screen = new Screen(engine, ["exec", "-it", box.id, "sh"]);
  await screen.sees("# ");
  screen.type("\x01");
  await screen.sees("read escape sequence");
  await box.remove({ force: true });
});

test("exec -it follows the size and gives the exit code", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  using screen = new Screen(engine, ["exec", "-it", box.id, "sh"]);
  await screen.sees("# ");
  screen.type("stty size\n");
  await screen.sees("30 90");
  screen.type("until stty size | grep '35 100'; do usleep 20000; done\n");
  screen.resize(100, 35);
  await screen.sees("\n35 100");
  await screen.sees("# ");
  screen.type("exit 5\n");
  await screen.sees("ended 5");
  await box.remove({ force: true });
});

test("killed by a signal, the command leaves no raw terminal", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  using screen = new Screen(engine, ["exec", "-it", box.id, "sh"]);
  await screen.sees("# ");
  process.kill(await screen.pid(), "SIGTERM");
  await screen.sees("ended 143");
  await box.remove({ force: true });
});
