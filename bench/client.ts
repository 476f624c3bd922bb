/** The work of a command line, done by the docker client, or over the API where no docker client is installed. */
import type { Wire } from "../tests/harness/wire.ts";
import { output } from "../tests/harness/process.ts";
import { image } from "./image.ts";

export interface Read {
  /** Bytes of the container's output, without any framing. */
  bytes: number;
  /** From the call to the end. */
  seconds: number;
  /** From the first byte to the end. */
  streaming: number;
}

export interface Client {
  load(archive: string): Promise<void>;
  /** How many containers run. */
  count(): Promise<number>;
  /** Asks once what all running containers use; rejects where one of these has no figures. */
  stats(names: readonly string[]): Promise<void>;
  /** Removes running containers, all in one command. */
  removeRunning(names: readonly string[]): Promise<void>;
  /** Runs a shell script in a new container that is removed at its end, and reads what it writes. */
  run(name: string, script: string): Promise<Read>;
  logs(name: string): Promise<Read>;
  /** The log from its start on, and all that comes; the caller disposes of it. */
  follow(name: string): Promise<Following>;
}

/** Text as it arrives. */
export class Following implements AsyncDisposable {
  readonly #end: () => Promise<void>;
  #text = "";
  #arrived = Promise.withResolvers<void>();

  constructor(stream: AsyncIterable<Uint8Array>, end: () => Promise<void>) {
    this.#end = end;
    void this.#pump(stream).catch(() => {
      // Cut off by the end that the caller asked for; a wait under way runs into its limit.
    });
  }

  async #pump(stream: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of stream) {
      this.#text += Buffer.from(chunk).toString("latin1");
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    }
  }

  /** Whether the text came within these milliseconds. */
  async within(text: string, limit: number): Promise<boolean> {
    const deadline = performance.now() + limit;
    while (!this.#text.includes(text)) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      await Promise.race([this.#arrived.promise, promise]);
      clearTimeout(timer);
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

export class CommandClient implements Client {
  readonly #docker: string;
  readonly #env: Record<string, string | undefined>;

  constructor(docker: string, env: Record<string, string | undefined>) {
    this.#docker = docker;
    this.#env = env;
  }

  async load(archive: string): Promise<void> {
    await this.#output("load", "-q", "-i", archive);
  }

  async count(): Promise<number> {
    return (await this.#output("ps", "-q")).split("\n").filter((line) => line !== "").length;
  }

  async stats(names: readonly string[]): Promise<void> {
    const lines = await this.#output("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.PIDs}}");
    checkStats(names, new Set(lines.split("\n").map((line) => line.replace(/ \d+\.\d\d% 1$/, ""))));
  }

  async removeRunning(names: readonly string[]): Promise<void> {
    await this.#output("rm", "-f", ...names);
  }

  async run(name: string, script: string): Promise<Read> {
    return await this.#read("run", "--rm", "--name", name, image, "sh", "-c", script);
  }

  async logs(name: string): Promise<Read> {
    return await this.#read("logs", name);
  }

  async follow(name: string): Promise<Following> {
    const child = Bun.spawn([this.#docker, "logs", "-f", name], {
      env: { ...process.env, ...this.#env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    return new Following(child.stdout, async () => {
      child.kill();
      await child.exited;
    });
  }

  async #output(...arguments_: string[]): Promise<string> {
    return await output([this.#docker, ...arguments_], { env: this.#env, timeout: 300_000 });
  }

  async #read(...arguments_: string[]): Promise<Read> {
    const begun = performance.now();
    const child = Bun.spawn([this.#docker, ...arguments_], {
      env: { ...process.env, ...this.#env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const complaint = child.stderr.text();
    const read = await measure(child.stdout, begun, (chunk) => chunk.length);
    if ((await child.exited) !== 0) throw new Error(`docker ${arguments_[0]}: ${(await complaint).trim()}`);
    return read;
  }
}

export class ApiClient implements Client {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  async load(archive: string): Promise<void> {
    const answer = await this.#wire.bytes("POST", "/images/load?quiet=1", { body: Bun.file(archive) });
    const text = new TextDecoder().decode(answer);
    if (text.includes('"error"')) throw new Error(`cannot load the image: ${text}`);
  }

  async count(): Promise<number> {
    return (await this.#wire.json<unknown[]>("GET", "/containers/json")).length;
  }

  async stats(names: readonly string[]): Promise<void> {
    const answers = await Promise.all(
      names.map(async (name) => {
        const path = `/containers/${name}/stats?stream=0`;
        return await this.#wire.json<{ name: string; pids_stats: { current?: number } }>("GET", path);
      }),
    );
    checkStats(
      names,
      new Set(answers.filter(({ pids_stats }) => pids_stats.current === 1).map(({ name }) => name.slice(1))),
    );
  }

  async removeRunning(names: readonly string[]): Promise<void> {
    await Promise.all(names.map(async (name) => await this.#wire.bytes("DELETE", `/containers/${name}?force=1`)));
  }

  async run(name: string, script: string): Promise<Read> {
    const begun = performance.now();
    const body = { Image: image, Cmd: ["sh", "-c", script], HostConfig: { AutoRemove: true } };
    await this.#wire.json("POST", `/containers/create?name=${name}`, body);
    const stream = await this.#stream("POST", `/containers/${name}/attach?stream=1&stdout=1`);
    await this.#wire.bytes("POST", `/containers/${name}/start`);
    return await measure(stream, begun, payloadCounter());
  }

  async logs(name: string): Promise<Read> {
    const begun = performance.now();
    return await measure(await this.#stream("GET", `/containers/${name}/logs?stdout=1`), begun, payloadCounter());
  }

  async follow(name: string): Promise<Following> {
    const abort = new AbortController();
    const stream = await this.#stream("GET", `/containers/${name}/logs?stdout=1&follow=1`, abort.signal);
    return new Following(stream, async () => abort.abort());
  }

  async #stream(method: string, path: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const answer = await this.#wire.send(method, path, signal === undefined ? {} : { signal });
    if (!answer.ok || answer.body === null) throw new Error(`${method} ${path}: ${await answer.text()}`);
    return answer.body;
  }
}

function checkStats(names: readonly string[], told: ReadonlySet<string>): void {
  const missing = names.filter((name) => !told.has(name));
  if (missing.length > 0) throw new Error(`stats tells nothing of ${missing.join(", ")}`);
}

async function measure(
  stream: AsyncIterable<Uint8Array>,
  begun: number,
  count: (chunk: Uint8Array) => number,
): Promise<Read> {
  let bytes = 0;
  let first: number | undefined;
  for await (const chunk of stream) {
    first ??= performance.now();
    bytes += count(chunk);
  }
  const ended = performance.now();
  return { bytes, seconds: (ended - begun) / 1000, streaming: (ended - (first ?? begun)) / 1000 };
}

/** Counts what the frames of a stream without a tty carry: `[stream, 0, 0, 0, length (4 bytes, big endian)]`, payload. */
export function payloadCounter(): (chunk: Uint8Array) => number {
  const head = Buffer.alloc(8);
  let headFilled = 0;
  let payloadLeft = 0;
  return (chunk) => {
    let payload = 0;
    let at = 0;
    while (at < chunk.length) {
      if (payloadLeft > 0) {
        const part = Math.min(payloadLeft, chunk.length - at);
        payload += part;
        payloadLeft -= part;
        at += part;
      } else {
        head[headFilled++] = chunk[at++] ?? 0;
        if (headFilled === 8) {
          payloadLeft = head.readUInt32BE(4);
          headFilled = 0;
        }
      }
    }
    return payload;
  };
}
