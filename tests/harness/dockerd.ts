/** A real Docker daemon with roots, socket and bridge address of its own, for tests in a private network. */
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { listMounts } from "#linux/mountinfo.ts";
import { unmount } from "#linux/mount.ts";
import { Box, type ContainerOverrides } from "./box.ts";
import { busyboxArchive, testImage } from "./image.ts";
import { until } from "./process.ts";
import { Wire } from "./wire.ts";

export class DockerDaemon implements AsyncDisposable {
  readonly #dataRoot: string;
  readonly #execRoot: string;
  readonly #socket: string;
  #wire: Wire | undefined;
  #child: Bun.Subprocess | undefined;

  private constructor(dataRoot: string, execRoot: string) {
    this.#dataRoot = dataRoot;
    this.#execRoot = execRoot;
    this.#socket = join(execRoot, "docker.sock");
  }

  /** Its API, in the newest version that it speaks. */
  get wire(): Wire {
    if (this.#wire === undefined) throw new Error("dockerd has not been started");
    return this.#wire;
  }

  /** Runs, and has the test image. */
  static async launch(): Promise<DockerDaemon> {
    const daemon = new DockerDaemon(await mkdtemp("/var/tmp/bt-docker-"), await mkdtemp("/run/bt-docker-"));
    try {
      await daemon.start();
      await daemon.wire.bytes("POST", "/images/load?quiet=1", { body: await busyboxArchive() });
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  async start(): Promise<void> {
    const logFile = join(this.#execRoot, "log");
    const log = openSync(logFile, "a");
    const bound = ["setpriv", "--pdeathsig", "TERM", "--"];
    const roots = ["--data-root", this.#dataRoot, "--exec-root", join(this.#execRoot, "exec")];
    const names = ["--pidfile", join(this.#execRoot, "pid"), "--host", `unix://${this.#socket}`];
    const command = [...bound, "dockerd", "--bip", "10.214.0.1/24", "--live-restore", ...roots, ...names];
    const child = Bun.spawn(command, { stdin: "ignore", stdout: log, stderr: log });
    closeSync(log);
    this.#child = child;
    const version = await until("dockerd answers", async () => {
      if (child.exitCode !== null) throw new Error(`dockerd ended:\n${(await Bun.file(logFile).text()).slice(-3000)}`);
      const answer = await fetch("http://localhost/_ping", { unix: this.#socket }).catch(() => undefined);
      return answer?.ok ? answer.headers.get("Api-Version") : undefined;
    });
    this.#wire = new Wire(this.#socket, version);
  }

  /** Its containers run on, as `--live-restore` says; its rules stay. */
  async stop(): Promise<void> {
    this.#child?.kill("SIGTERM");
    await this.#child?.exited;
    this.#child = undefined;
  }

  async create(command: readonly string[], overrides: ContainerOverrides = {}): Promise<Box> {
    const body = { Image: testImage, Cmd: [...command], ...overrides };
    return new Box(this.wire, (await this.wire.json<{ Id: string }>("POST", "/containers/create", body)).Id);
  }

  async run(command: readonly string[], overrides: ContainerOverrides = {}): Promise<Box> {
    const box = await this.create(command, overrides);
    await box.start();
    return box;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const root of [this.#execRoot, this.#dataRoot]) {
      for (const { mountPoint } of listMounts(root).toReversed()) unmount(mountPoint, { detach: true });
      await rm(root, { recursive: true, force: true });
    }
  }
}
