/** One daemon under measurement, whichever it is: its API, a client to drive it, and the clean-up of what the bench made. */
import { output } from "../tests/harness/process.ts";
import { type Hijacked, Wire } from "../tests/harness/wire.ts";
import { ApiClient, type Client, CommandClient } from "./client.ts";
import { image, imagePrefix } from "./image.ts";

const label = "berth.bench";

export type Side = "berth" | "docker";

export interface TargetOptions {
  side: Side;
  socket: string;
  /** The daemon's main process. */
  pid: number;
  /** Text that is on the command line of all its helpers that are not its children (monitors, shims). */
  mark: string;
  /** The docker client's program; the API is used where it is null. */
  docker: string | null;
  /** The program for `berth run` on this side: dist/berth for Berth, the docker client for Docker. */
  ownClient: string | null;
  /** For the client's configuration; empty. */
  folder: string;
}

export class Target {
  readonly side: Side;
  readonly pid: number;
  readonly mark: string;
  readonly version: string;
  readonly wire: Wire;
  readonly client: Client;
  readonly ownClient: string | null;
  readonly #docker: string | null;
  readonly #env: Record<string, string | undefined>;
  #names = 0;

  /** Asks the daemon for its version. Rejects where it does not answer. */
  static async open(options: TargetOptions): Promise<Target> {
    const answer = await fetch("http://localhost/version", { unix: options.socket, headers: { Connection: "close" } });
    const { Version, ApiVersion } = (await answer.json()) as { Version: string; ApiVersion: string };
    // One version for both, that Docker 20.10 speaks as well.
    const version = ApiVersion.localeCompare("1.41", "en", { numeric: true }) < 0 ? ApiVersion : "1.41";
    return new Target(options, Version, version);
  }

  private constructor(options: TargetOptions, version: string, apiVersion: string) {
    this.side = options.side;
    this.pid = options.pid;
    this.mark = options.mark;
    this.version = version;
    this.ownClient = options.ownClient;
    this.wire = new Wire(options.socket, apiVersion);
    const host = `unix://${options.socket}`;
    this.#docker = options.docker;
    this.#env = {
      DOCKER_HOST: host,
      BERTH_HOST: host,
      DOCKER_CONFIG: options.folder,
      DOCKER_CONTEXT: undefined,
      DOCKER_API_VERSION: undefined,
      DOCKER_TLS_VERIFY: undefined,
      DOCKER_CLI_HINTS: "false",
    };
    this.client = options.docker === null ? new ApiClient(this.wire) : new CommandClient(options.docker, this.#env);
  }

  /** A name that no other container of this bench has. */
  name(): string {
    this.#names += 1;
    return `bench-${process.pid}-${this.#names}`;
  }

  /** Runs the docker client to its end. Rejects where it fails. */
  async docker(arguments_: readonly string[]): Promise<string> {
    if (this.#docker === null) throw new Error("there is no docker client");
    return await this.command(this.#docker, arguments_);
  }

  async command(program: string, arguments_: readonly string[]): Promise<string> {
    return await output([program, ...arguments_], { env: this.#env, timeout: 300_000 });
  }

  async create(command: readonly string[], more: object = {}, name = this.name()): Promise<string> {
    const body = { Image: image, Cmd: command, Labels: { [label]: "1" }, ...more };
    return (await this.wire.json<{ Id: string }>("POST", `/containers/create?name=${name}`, body)).Id;
  }

  async start(id: string): Promise<void> {
    await this.wire.bytes("POST", `/containers/${id}/start`);
  }

  /** The exit code. */
  async wait(id: string, condition = "not-running"): Promise<number> {
    const path = `/containers/${id}/wait?condition=${condition}`;
    return (await this.wire.json<{ StatusCode: number }>("POST", path)).StatusCode;
  }

  async attach(id: string): Promise<Hijacked> {
    return await this.wire.hijack(`/containers/${id}/attach?stream=1&stdout=1`);
  }

  async remove(id: string): Promise<void> {
    await this.wire.bytes("DELETE", `/containers/${id}?force=1&v=1`);
  }

  /** As `remove`, where it may be gone already. */
  async discard(id: string): Promise<void> {
    const answer = await this.wire.send("DELETE", `/containers/${id}?force=1&v=1`);
    await answer.bytes();
  }

  /** Starts containers that sleep, `width` at a time, under these names. */
  async startMany(names: readonly string[], width: number): Promise<void> {
    const todo = [...names];
    const work = async () => {
      for (let name = todo.shift(); name !== undefined; name = todo.shift())
        await this.start(await this.create(["sleep", "600"], {}, name));
    };
    const results = await Promise.allSettled(Array.from({ length: width }, work));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async discardMany(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += 8)
      await Promise.all(names.slice(at, at + 8).map(async (name) => await this.discard(name)));
  }

  /** Removes the containers of any bench, finished or cut off. */
  async removeContainers(): Promise<void> {
    const all = await this.wire.json<{ Id: string; Names: string[]; Labels: Record<string, string> | null }[]>(
      "GET",
      "/containers/json?all=1",
    );
    const ours = all.filter(({ Names, Labels }) => Labels?.[label] === "1" || Names[0]?.startsWith("/bench-") === true);
    await this.discardMany(ours.map(({ Id }) => Id));
  }

  /** Removes the images of any bench. */
  async removeImages(): Promise<void> {
    const all = await this.wire.json<{ RepoTags: string[] | null }[]>("GET", "/images/json");
    for (const tag of all.flatMap(({ RepoTags }) => RepoTags ?? []).filter((tag) => tag.startsWith(imagePrefix)))
      await (await this.wire.send("DELETE", `/images/${tag}?force=1`)).bytes();
  }
}
