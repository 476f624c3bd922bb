/** Starts a real daemon with roots, socket and bridge of its own, and proves at the end that it left nothing behind. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerSummary } from "#api/types/container.ts";
import { Box, type ContainerOverrides } from "./box.ts";
import { DaemonProcess } from "./daemon.ts";
import { busyboxArchive, testImage } from "./image.ts";
import { bridgesOf, type Kernel, sweep } from "./leftovers.ts";
import { type Finished, run, type RunOptions } from "./process.ts";
import { Wire } from "./wire.ts";

export interface StartOptions {
  /** Loads the busybox test image; true unless said otherwise. */
  image?: boolean;
  /** Further arguments of `berth daemon`. */
  arguments?: readonly string[];
  /** An existing, empty folder to use as data root (a small file system, say); the caller removes it. */
  dataRoot?: string;
}

/** Ready for requests when it resolves. Dispose of it (`await using`): that is where leaks are found. */
export async function startEngine(options: StartOptions = {}): Promise<Engine> {
  const execRoot = await mkdtemp("/run/bt-");
  const dataRoot = options.dataRoot ?? (await mkdtemp("/var/tmp/bt-"));
  // The host may have a configuration of its own: this file is empty.
  const extra = ["--config-file", "/dev/null", ...(options.arguments ?? [])];
  const engine = new Engine(dataRoot, execRoot, options.dataRoot === undefined, extra);
  try {
    await engine.start();
    if (options.image !== false) await engine.load(await busyboxArchive());
    return engine;
  } catch (error) {
    await engine.destroy();
    throw error;
  }
}

export class Engine implements AsyncDisposable {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socket: string;
  /** The API, byte by byte. */
  readonly wire: Wire;
  readonly bridge: string;
  readonly #ownsDataRoot: boolean;
  readonly #daemon: DaemonProcess;

  constructor(dataRoot: string, execRoot: string, ownsDataRoot: boolean, extra: readonly string[]) {
    this.dataRoot = dataRoot;
    this.execRoot = execRoot;
    this.socket = join(execRoot, "berth.sock");
    this.wire = new Wire(this.socket);
    this.#ownsDataRoot = ownsDataRoot;
    this.bridge = `bt${execRoot.slice(-6)}`;
    // Tests of several checkouts may run at once: a subnet by chance out of ten thousand.
    const subnet = `10.${200 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 200)}`;
    this.#daemon = new DaemonProcess(this.socket, join(execRoot, "daemon.log"), [
      "--data-root",
      dataRoot,
      "--exec-root",
      execRoot,
      "--host",
      `unix://${this.socket}`,
      "--bridge",
      this.bridge,
      "--bip",
      `${subnet}.1/24`,
      ...extra,
    ]);
  }

  get pid(): number {
    return this.#daemon.pid;
  }

  /** What the daemon wrote to its log so far. */
  async log(): Promise<string> {
    return await this.#daemon.log();
  }

  async start(): Promise<void> {
    await this.#daemon.start();
  }

  /** SIGTERM, as an operator stops it: containers run on. */
  async stop(): Promise<void> {
    await this.#daemon.stop("SIGTERM");
  }

  async kill9(): Promise<void> {
    await this.#daemon.stop("SIGKILL");
  }

  /** A new daemon over the same roots; the old one, if it still runs, is stopped first. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** The berth command line, against this daemon. */
  async berth(arguments_: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return await run([...this.#daemon.program, ...arguments_], {
      ...options,
      env: { ...this.#clientEnv(), ...options.env },
    });
  }

  /** The docker CLI, against this daemon. For tests that ask `Bun.which("docker")` first. */
  async docker(arguments_: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return await run(["docker", ...arguments_], { ...options, env: { ...this.#clientEnv(), ...options.env } });
  }

  /** The words that start the berth CLI here, for tests that need the process itself. */
  get program(): readonly string[] {
    return this.#daemon.program;
  }

  #clientEnv(): Record<string, string | undefined> {
    const host = `unix://${this.socket}`;
    return {
      DOCKER_HOST: host,
      BERTH_HOST: host,
      DOCKER_CONFIG: this.execRoot,
      DOCKER_CONTEXT: undefined,
      DOCKER_CLI_HINTS: "false",
    };
  }

  /** Loads a `docker save` archive and gives the daemon's own words. Rejects with WireError where it refuses. */
  async load(archive: Uint8Array<ArrayBuffer> | Bun.BunFile): Promise<string> {
    const answer = await this.wire.bytes("POST", "/images/load?quiet=1", { body: archive });
    const text = new TextDecoder().decode(answer);
    // The stream has begun by the time an archive turns out bad, so that the status can say nothing any more.
    const error = /"error":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    if (error !== undefined) throw new Error(JSON.parse(`"${error}"`) as string);
    return text;
  }

  /** Creates a container of the test image and does not start it. */
  async create(command: readonly string[], overrides: ContainerOverrides = {}): Promise<Box> {
    const { name, ...body } = overrides;
    const request = { Image: testImage, Cmd: [...command], ...body };
    const query = name === undefined ? "" : `?name=${encodeURIComponent(name)}`;
    const { Id } = await this.wire.json<{ Id: string }>("POST", `/containers/create${query}`, request);
    return new Box(this.wire, Id);
  }

  /** Creates and starts one. */
  async run(command: readonly string[], overrides: ContainerOverrides = {}): Promise<Box> {
    const box = await this.create(command, overrides);
    await box.start();
    return box;
  }

  /** Every container, running or not. */
  async list(): Promise<ContainerSummary[]> {
    return await this.wire.json("GET", "/containers/json?all=1");
  }

  async remove(id: string, options: { force?: boolean; volumes?: boolean } = {}): Promise<void> {
    await new Box(this.wire, id).remove(options);
  }

  /**
   * Removes all containers, volumes, networks and images, stops the daemon, and names what is still there.
   * The daemon is stopped for it because a running one keeps sandboxes ready.
   */
  async leftovers(): Promise<string[]> {
    const kernel: Kernel = { ...this.#kernel(), containers: new Set(), bridges: new Set() };
    if (this.#daemon.running) {
      await this.#removeAll(kernel);
      await this.stop();
    }
    return await sweep(kernel);
  }

  #kernel(): Pick<Kernel, "dataRoot" | "execRoot" | "bridge"> {
    return { dataRoot: this.dataRoot, execRoot: this.execRoot, bridge: this.bridge };
  }

  async #removeAll(kernel: Kernel): Promise<void> {
    const seen = await this.wire.bytes(
      "GET",
      `/events?since=0&until=${((Date.now() + 1) / 1000).toFixed(3)}&filters=%7B%22type%22%3A%5B%22container%22%5D%7D`,
    );
    for (const [, id] of new TextDecoder().decode(seen).matchAll(/"ID":"([0-9a-f]{64})"/g))
      kernel.containers.add(id ?? "");
    for (const { Id } of await this.list()) {
      kernel.containers.add(Id);
      await this.remove(Id, { force: true, volumes: true });
    }
    for (const device of bridgesOf(kernel)) kernel.bridges.add(device);
    kernel.bridges.delete(this.bridge);
    for (const { Id } of await this.wire.json<{ Id: string }[]>(
      "GET",
      "/networks?filters=%7B%22type%22%3A%5B%22custom%22%5D%7D",
    )) {
      await this.wire.bytes("DELETE", `/networks/${Id}`);
    }
    const { Volumes } = await this.wire.json<{ Volumes: { Name: string }[] | null }>("GET", "/volumes");
    for (const { Name } of Volumes ?? []) await this.wire.bytes("DELETE", `/volumes/${Name}?force=1`);
    const images = await this.wire.json<{ Id: string }[]>("GET", "/images/json?all=1");
    for (const { Id } of images)
      await this.wire.send("DELETE", `/images/${Id}?force=1`).then((answer) => answer.bytes());
  }

  /** Ends everything by force and removes the roots; finds no faults. */
  async destroy(): Promise<void> {
    await this.#daemon.stop("SIGKILL");
    await sweep({ ...this.#kernel(), containers: new Set(), bridges: new Set() }, { remove: true });
    await rm(this.execRoot, { recursive: true, force: true });
    if (this.#ownsDataRoot) await rm(this.dataRoot, { recursive: true, force: true });
    else await mkdir(this.dataRoot, { recursive: true });
  }

  /** Rejects with what is left over, after having removed it. */
  async [Symbol.asyncDispose](): Promise<void> {
    let left: string[];
    try {
      left = await this.leftovers();
    } catch (error) {
      left = [`cannot clean up: ${error instanceof Error ? error.message : String(error)}`, await this.log()];
    } finally {
      await this.destroy();
    }
    if (left.length === 0) return;
    const problem = `left behind:\n  ${left.join("\n  ")}`;
    // Where the test itself failed too, the runner prints neither of the two messages.
    process.stderr.write(`${problem}\n`);
    throw new Error(problem);
  }
}
