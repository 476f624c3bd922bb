/** The docker command line, unchanged, against Berth. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

const installed = Bun.which("docker") !== null;
const cli = test.skipIf(!installed);
const why = installed ? "" : " (skipped: no docker CLI on this machine)";

/** stdout of a command that must succeed. */
async function docker(engine: Engine, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.docker(words);
  if (code !== 0) throw new Error(`docker ${words.join(" ")}: exit code ${code}: ${stderr}`);
  return stdout;
}

cli(`docker run: output, exit codes, stdin, --rm${why}`, async () => {
  await using engine = await startEngine();
  expect(await docker(engine, "run", "--rm", testImage, "echo", "hello")).toBe("hello\n");
  expect((await engine.docker(["run", "--rm", testImage, "sh", "-c", "exit 7"])).code).toBe(7);
  expect((await engine.docker(["run", "--rm", testImage, "no-such-program"])).code).toBe(127);
  expect((await engine.docker(["run", "--rm", testImage, "/bin/not-executable"])).code).toBe(126);
  expect((await engine.docker(["run", "--rm", "--memory", "1m", testImage, "true"])).code).toBe(125);
  expect((await engine.docker(["run", "--rm", "-i", testImage, "wc", "-c"], { stdin: "12345" })).stdout).toBe("5\n");
  expect(await docker(engine, "ps", "-aq")).toBe("");
});

cli(`docker run -d, ps, exec, logs, inspect, stop, rm${why}`, async () => {
  await using engine = await startEngine();
  const id = (
    await docker(
      engine,
      "run",
      "-d",
      "--name",
      "web",
      "-p",
      "80",
      "-e",
      "A=b",
      testImage,
      "sh",
      "-c",
      "echo up; sleep 600",
    )
  ).trim();
  expect(await docker(engine, "ps", "--format", "{{.Names}} {{.Image}} {{.State}}")).toBe(`web ${testImage} running\n`);
  expect(await docker(engine, "exec", "web", "sh", "-c", "echo $A")).toBe("b\n");
  expect(await docker(engine, "inspect", "--format", "{{.Id}}", "web")).toBe(`${id}\n`);
  expect(await docker(engine, "port", "web")).toMatch(/^80\/tcp -> 0\.0\.0\.0:\d+\n/);
  await until("it logged", async () => (await docker(engine, "logs", "web")) === "up\n");
  await docker(engine, "rename", "web", "web2");
  await docker(engine, "stop", "-t", "0", "web2");
  expect(await docker(engine, "wait", "web2")).toBe("137\n");
  await docker(engine, "rm", "web2");
});

cli(`docker run -it in a real terminal follows its size${why}`, async () => {
  await using engine = await startEngine();
  let shown = "";
  const child = Bun.spawn(["docker", "run", "-it", "--rm", testImage, "sh"], {
    env: { ...process.env, DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: engine.execRoot },
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

cli(`docker images, tag, save, load, import, commit, history, rmi${why}`, async () => {
  await using engine = await startEngine();
  const file = join(engine.execRoot, "image.tar");
  await docker(engine, "tag", testImage, "copy:1");
  await docker(engine, "save", "-o", file, "copy:1");
  await docker(engine, "rmi", "copy:1", testImage);
  expect(await docker(engine, "images", "-q")).toBe("");
  expect(await docker(engine, "load", "-i", file)).toContain("Loaded image: copy:1");
  await docker(engine, "run", "--name", "changed", "copy:1", "touch", "/new");
  await docker(engine, "commit", "-m", "a file more", "changed", "copy:2");
  expect(await docker(engine, "run", "--rm", "copy:2", "ls", "/new")).toBe("/new\n");
  expect(await docker(engine, "history", "--format", "{{.Comment}}", "copy:2")).toStartWith("a file more\n");
  await docker(engine, "rm", "changed");
  await docker(engine, "rmi", "copy:1", "copy:2");
});

cli(`docker volume, network, events, info, version, system df${why}`, async () => {
  await using engine = await startEngine();
  await docker(engine, "volume", "create", "vol");
  await docker(engine, "run", "--rm", "-v", "vol:/data", testImage, "sh", "-c", "echo kept > /data/x");
  expect(
    await docker(
      engine,
      "run",
      "--rm",
      "--mount",
      "type=volume,source=vol,target=/d,readonly",
      testImage,
      "cat",
      "/d/x",
    ),
  ).toBe("kept\n");
  expect(await docker(engine, "volume", "ls", "-q")).toBe("vol\n");
  await docker(engine, "network", "create", "n");
  expect(await docker(engine, "network", "ls", "--format", "{{.Name}}")).toBe("bridge\nhost\nn\nnone\n");
  await docker(engine, "network", "rm", "n");
  const events = await docker(
    engine,
    "events",
    "--since",
    "1m",
    "--until",
    // The client would round a duration down to whole seconds.
    (Date.now() / 1000 + 0.001).toFixed(3),
    "--filter",
    "type=volume",
    "--format",
    "{{.Action}}",
  );
  expect(events).toStartWith("create\n");
  expect(await docker(engine, "info", "--format", "{{.DockerRootDir}}")).toBe(`${engine.dataRoot}\n`);
  expect(await docker(engine, "version", "--format", "{{.Server.APIVersion}}")).toBe("1.50\n");
  await docker(engine, "volume", "rm", "vol");
});

cli(`docker attach with detach keys, logs -f and kill${why}`, async () => {
  await using engine = await startEngine();
  await docker(engine, "run", "-dit", "--name", "shell", testImage, "sh");
  let shown = "";
  const child = Bun.spawn(["docker", "attach", "--detach-keys", "ctrl-x,x", "shell"], {
    env: { ...process.env, DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: engine.execRoot },
    terminal: { rows: 30, cols: 90, data: (_, bytes) => void (shown += new TextDecoder().decode(bytes)) },
  });
  child.terminal?.write("echo seen-$((1 + 1))\n");
  await until("the answer", () => shown.includes("seen-2"));
  child.terminal?.write("\x18x");
  await child.exited;
  expect(await docker(engine, "inspect", "--format", "{{.State.Running}}", "shell")).toBe("true\n");
  const follow = engine.docker(["logs", "-f", "shell"]);
  await docker(engine, "kill", "shell");
  expect((await follow).stdout).toContain("seen-2");
});
