/** Contexts: kept as Docker's command line keeps them, and obeyed in the same order. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Certificates } from "./harness/certificates.ts";
import { DaemonProcess } from "./harness/daemon.ts";
import { testImage } from "./harness/image.ts";
import { startEngine } from "./harness/engine.ts";
import { type Finished, run } from "./harness/process.ts";

const clean = {
  BERTH_HOST: undefined,
  BERTH_CONTEXT: undefined,
  BERTH_CONFIG: undefined,
  DOCKER_HOST: undefined,
  DOCKER_CONTEXT: undefined,
  DOCKER_CLI_HINTS: "false",
};

/** A configuration folder of its own, and one of the two command lines in it. */
class Client implements AsyncDisposable {
  readonly folder: string;
  readonly #program: readonly string[];

  private constructor(folder: string, program: readonly string[]) {
    this.folder = folder;
    this.#program = program;
  }

  static async make(program: "berth" | "docker"): Promise<Client> {
    const words = program === "docker" ? ["docker"] : new DaemonProcess("", "", []).program;
    return new Client(await mkdtemp("/var/tmp/bt-contexts-"), words);
  }

  async run(words: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
    return await run([...this.#program, ...words], {
      cwd: this.folder,
      env: { ...clean, DOCKER_CONFIG: this.folder, ...env },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

const lines: readonly (readonly string[])[] = [
  ["context", "create", "x", "--docker", "host=tcp://h:1"],
  ["context", "create", "default", "--docker", "host=tcp://h:1"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,foo=2"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,ca=/nowhere"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,ca=bad"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,cert=bad,key=key"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,cert=cert,key=other"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,cert=cert,key=bad"],
  ["context", "create", "one", "--docker", "host=tcp://h:1,skip-tls-verify=x"],
  ["context", "create", "one", "--docker", "host=nonsense:/x"],
  ["context", "create", "plain"],
  ["context", "inspect", "plain"],
  ["context", "rm", "plain"],
  ["context", "create", "one", "--description", "the first", "--docker", "host=tcp://h:1,ca=ca,cert=cert,key=key"],
  ["context", "create", "one", "--docker", "host=tcp://h:1"],
  ["context", "create", "two", "--from", "one"],
  ["context", "create", "three", "--from", "nowhere"],
  ["context", "create", "a!b", "--docker", "host=tcp://h:1"],
  ["context", "ls"],
  ["context", "ls", "--format", "json"],
  ["context", "ls", "-q"],
  ["context", "inspect", "one"],
  ["context", "inspect", "nowhere", "two"],
  ["context", "inspect", "-f", "{{.Endpoints.docker.Host}}", "one"],
  ["context", "use", "nowhere"],
  ["context", "use", "one"],
  ["context", "show"],
  ["context", "ls"],
  ["context", "rm", "one"],
  ["context", "rm", "default"],
  ["context", "rm", "nowhere", "two"],
  ["context", "update", "one", "--description", "another"],
  ["context", "update", "nowhere", "--description", "another"],
  ["context", "update", "default", "--description", "another"],
  ["context", "export", "one"],
  ["context", "export", "one"],
  ["context", "import", "four", "one.dockercontext"],
  ["context", "import", "one", "one.dockercontext"],
  ["context", "rm", "-f", "one", "nowhere"],
  ["context", "use", "default"],
  ["context", "ls"],
  ["-c", "nowhere", "ps"],
  ["-c", "four", "-H", "tcp://x", "ps"],
];

test.if(Bun.which("docker") !== null)(
  "contexts look and behave as Docker's, word for word",
  async () => {
    await using ours = await Client.make("berth");
    await using docker = await Client.make("docker");
    const plain = (client: Client, { code, stdout, stderr }: Finished): Finished => {
      const tidy = (text: string): string =>
        text
          .replaceAll(client.folder, "FOLDER")
          .replaceAll("unix:///run/berth/berth.sock", "SOCKET")
          .replaceAll("unix:///var/run/docker.sock", "SOCKET")
          .replaceAll("berth", "docker")
          // The default socket's length decides how wide a column is.
          .replace(/ {2,}/g, "  ");
      return { code, stdout: tidy(stdout), stderr: tidy(stderr) };
    };
    await using certificates = await Certificates.make();
    for (const client of [ours, docker]) {
      await Bun.write(join(client.folder, "bad"), "nonsense");
      await Bun.write(join(client.folder, "other"), Bun.file(certificates.path("server/key.pem")));
      for (const name of ["ca", "cert", "key"]) {
        await Bun.write(join(client.folder, name), Bun.file(certificates.path(`client/${name}.pem`)));
      }
    }
    for (const words of lines) {
      const [mine, theirs] = [plain(ours, await ours.run(words)), plain(docker, await docker.run(words))];
      expect({ words, ...mine }).toEqual({ words, ...theirs });
    }
    // Each reads what the other wrote.
    await ours.run(["context", "create", "mine", "--docker", `host=tcp://h:1,ca=${ours.folder}/ca`]);
    await ours.run(["context", "export", "mine"]);
    expect((await docker.run(["context", "import", "theirs", join(ours.folder, "mine.dockercontext")])).code).toBe(0);
    const store = await docker.run(["context", "ls", "-q"], { DOCKER_CONFIG: ours.folder });
    expect(store.stdout.split("\n")).toEqual(["default", "four", "mine", ""]);
  },
  60_000,
);

test("a context leads to its daemon; flags, then our variables, then Docker's go before it", async () => {
  await using engine = await startEngine({ image: false });
  await using client = await Client.make("berth");
  const endpoint = `host=unix://${engine.socket}`;
  expect(await client.run(["context", "create", "here", "--docker", endpoint])).toMatchObject({ code: 0 });
  const reached = async (words: readonly string[], env: Record<string, string> = {}): Promise<boolean> => {
    const { code, stderr } = await client.run([...words, "ps"], env);
    if (code !== 0) expect(stderr).toContain("Cannot connect to the Berth daemon at unix:///nowhere");
    return code === 0;
  };
  const away = { DOCKER_HOST: "unix:///nowhere" };
  expect(await reached(["-c", "here"], away)).toBe(true);
  expect(await reached([], { ...away, BERTH_CONTEXT: "here" })).toBe(true);
  expect(await reached([], { ...away, DOCKER_CONTEXT: "here" })).toBe(false);
  expect(await reached([], { DOCKER_CONTEXT: "here" })).toBe(true);
  expect(await client.run(["context", "use", "here"])).toMatchObject({ code: 0, stdout: "here\n" });
  expect(await reached([])).toBe(true);
  expect(await reached([], away)).toBe(false);
  expect(await reached(["-H", "unix:///nowhere"])).toBe(false);
  const version = await client.run(["version", "--format", "{{.Client.Context}}"]);
  expect(version).toMatchObject({ code: 0, stdout: "here\n" });
  const listed = await client.run(["context", "ls"], away);
  expect(listed.stderr).toContain("Warning: DOCKER_HOST environment variable overrides the active context.");
});

test("ssh:// reaches the daemon of another host through its command line there", async () => {
  await using engine = await startEngine();
  await using client = await Client.make("berth");
  // In ssh's place: what it would run on the other host, it runs here.
  const ssh = join(client.folder, "ssh");
  const { program } = engine;
  await Bun.write(ssh, `#!/bin/sh\necho "$@" >>${client.folder}/words\nshift $(($# - 1))\neval "\${1}"\n`);
  await Bun.write(
    join(client.folder, "berth"),
    `#!/bin/sh\nexec ${program.map((word) => `'${word}'`).join(" ")} "$@"\n`,
  );
  for (const file of ["ssh", "berth"]) chmodSync(join(client.folder, file), 0o755);
  const env = {
    BERTH_HOST: `ssh://me@far:2222${engine.socket}`,
    PATH: `${client.folder}:${process.env["PATH"] ?? ""}`,
    TMPDIR: client.folder,
  };
  const { stdout } = await client.run(["images", "-q"], env);
  expect(stdout).not.toBe("");
  const big = await client.run(
    ["run", "--rm", testImage, "sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' x; exit 7"],
    env,
  );
  expect({ code: big.code, length: big.stdout.length, stderr: big.stderr }).toEqual({
    code: 7,
    length: 2_000_000,
    stderr: "",
  });
  expect(readFileSync(join(client.folder, "words"), "utf8").split("\n")[0]).toStartWith(
    "-l me -p 2222 -o ConnectTimeout=30 -T -- far",
  );
  expect(new Bun.Glob("berth-ssh-*").scanSync({ cwd: client.folder, onlyFiles: false }).next().done).toBe(true);
  expect(existsSync(engine.socket)).toBe(true);
});
