/** One daemon that the walk asks: makes what requests are about, sends them, and takes away what they made. */
import type { SubjectKind } from "./bases.ts";
import type { WalkRequest } from "./requests.ts";
import { busyboxArchive, testImage } from "../../tests/harness/image.ts";
import { tar } from "../../tests/harness/tar.ts";
import { Wire } from "../../tests/harness/wire.ts";

export interface LocatedRequest {
  /** With the version. */
  readonly path: string;
  readonly query: string;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

export interface Answer {
  readonly status: number;
  /** Of an error. */
  readonly message?: string;
  /** The first JSON text of a success. */
  readonly json?: unknown;
  readonly contentType: string;
}

const sleeping = { Image: testImage, Cmd: ["sleep", "3600"], StopSignal: "KILL", Labels: { a: "b" } };
/** Longer than anything but a stream without end takes. Milliseconds. */
const PATIENCE = 15_000;
/** A stream that is silent for so long has said what there is to look at. Milliseconds. */
const SILENCE = 700;

export class WalkedDaemon {
  readonly #wire: Wire;
  readonly #shared = new Map<SubjectKind, string>();
  #archives: { files: Uint8Array<ArrayBuffer>; image: Uint8Array<ArrayBuffer> } | undefined;
  #made = 0;

  constructor(socket: string, version = "1.50") {
    this.#wire = new Wire(socket, version);
  }

  /** Loads the image and makes what requests name. Call once, before `ask`. */
  async prepare(): Promise<void> {
    this.#archives = { files: tar([{ name: "walked", content: "x" }]), image: await busyboxArchive() };
    await this.#wire.bytes("POST", "/images/load?quiet=1", { body: this.#archives.image });
    await this.#makeTaken();
  }

  async #makeTaken(): Promise<void> {
    await this.#wire.json("POST", "/volumes/create", { Name: "walk-used" });
    const body = { ...sleeping, HostConfig: { Binds: ["walk-used:/used"] } };
    await this.#wire.json("POST", "/containers/create?name=walk-taken", body);
    await this.#wire.bytes("POST", "/containers/walk-taken/start");
  }

  /** The request as it goes to this daemon: what it is about exists then. */
  async locate(request: WalkRequest): Promise<LocatedRequest> {
    const name = request.name ?? (request.subject === undefined ? "" : await this.#subject(request));
    const path = request.endpoint.path.replace(/\{\w+\}/, encodeURIComponent(name));
    const query = request.query
      .replaceAll("%7Bimage%7D", testImage)
      .replaceAll("%7Bcontainer%7D", "walk-taken")
      .replaceAll("%7Bnow%7D", (Date.now() / 1000).toFixed(3));
    const version = request.version ?? this.#wire.version;
    return {
      path: `${version === "" ? "" : `/v${version}`}${path}`,
      query,
      body: request.archive === undefined ? this.#text(request.body) : this.#archives?.[request.archive],
    };
  }

  /** Status 0 is a connection that broke off or said nothing. */
  async ask(request: WalkRequest): Promise<Answer> {
    const { path, query, body } = await this.locate(request);
    const aborter = new AbortController();
    const timer = setTimeout(() => aborter.abort(), PATIENCE);
    try {
      const response = await fetch(`http://localhost${path}${query === "" ? "" : `?${query}`}`, {
        unix: this.#wire.socket,
        method: request.endpoint.method,
        signal: aborter.signal,
        headers: {
          Connection: "close",
          ...(request.contentType !== undefined && { "Content-Type": request.contentType }),
          ...(request.archive !== undefined && { "Content-Type": "application/x-tar" }),
        },
        ...(body !== undefined && { body }),
      });
      return await answerOf(response);
    } catch (error) {
      return { status: 0, message: String(error), contentType: "" };
    } finally {
      clearTimeout(timer);
      aborter.abort();
    }
  }

  /** Makes again what requests took away. */
  async restore(): Promise<void> {
    this.#shared.clear();
    const image = await this.#wire.send("GET", `/images/${testImage}/json`);
    await image.bytes();
    if (image.status !== 200) await this.#wire.bytes("POST", "/images/load?quiet=1", { body: await busyboxArchive() });
    for (const { Id } of await this.#wire.json<{ Id: string }[]>("GET", "/containers/json?all=1")) {
      const path = `/containers/${Id}`;
      try {
        await this.#wire.bytes("DELETE", `${path}?force=1&v=1`, { signal: AbortSignal.timeout(PATIENCE) });
      } catch (cause) {
        const shown = JSON.stringify(await this.#wire.json("GET", `${path}/json`));
        throw new Error(`cannot remove a container: ${String(cause)}: ${shown}`, { cause });
      }
    }
    await this.tidy();
    for (const kind of ["network", "volume"]) {
      await this.#wire.send("DELETE", `/${kind}s/walk-shared-${kind}`).then((answer) => answer.bytes());
    }
    await this.#makeTaken();
  }

  /** Makes room for the next request: nothing that one made stands in the way of another. */
  async tidy(): Promise<void> {
    for (const { Id, Names } of await this.#wire.json<{ Id: string; Names: string[] }[]>(
      "GET",
      "/containers/json?all=1",
    )) {
      if (Names.some((one) => one === "/walk-taken" || one.startsWith("/walk-shared-"))) continue;
      await this.#wire.send("DELETE", `/containers/${Id}?force=1&v=1`).then((answer) => answer.bytes());
    }
    for (const { Name } of await this.#wire.json<{ Name: string }[]>("GET", "/networks")) {
      if (!Name.startsWith("walk-") || Name.startsWith("walk-shared-")) continue;
      await this.#wire.send("DELETE", `/networks/${Name}`).then((answer) => answer.bytes());
    }
  }

  #text(body: string | undefined): string | undefined {
    return body
      ?.replaceAll("{image}", testImage)
      .replaceAll("{container}", "walk-taken")
      .replaceAll("{new}", `walk-new-${this.#made++}`);
  }

  async #subject({ subject = "created", fresh }: WalkRequest): Promise<string> {
    if (fresh) return await this.#make(subject, `walk-fresh-${this.#made++}`);
    let made = this.#shared.get(subject);
    if (made === undefined) {
      made = await this.#make(subject, `walk-shared-${subject.toLowerCase()}`);
      this.#shared.set(subject, made);
    }
    return made;
  }

  async #make(kind: SubjectKind, name: string): Promise<string> {
    const wire = this.#wire;
    const create = async (body: object): Promise<void> => {
      await wire.json("POST", `/containers/create?name=${name}`, body);
    };
    const start = async (): Promise<void> => void (await wire.bytes("POST", `/containers/${name}/start`));
    switch (kind) {
      case "image":
        return testImage;
      case "tag":
        await wire.bytes("POST", `/images/${testImage}/tag?repo=${name}&tag=1`);
        return `${name}:1`;
      case "volume":
        await wire.json("POST", "/volumes/create", { Name: name });
        return name;
      case "network":
        await wire.json("POST", "/networks/create", { Name: name });
        return name;
      case "connected":
        await wire.json("POST", "/networks/create", { Name: name });
        await wire.json("POST", `/networks/${name}/connect`, { Container: "walk-taken" });
        return name;
      case "exec":
      case "ttyExec": {
        const body = { Cmd: ["sleep", "3600"], Tty: kind === "ttyExec" };
        const { Id } = await wire.json<{ Id: string }>("POST", "/containers/walk-taken/exec", body);
        if (kind === "ttyExec") await wire.json("POST", `/exec/${Id}/start`, { Detach: true, Tty: true });
        return Id;
      }
      case "created":
        await create(sleeping);
        return name;
      case "exited":
        await create({ ...sleeping, Cmd: ["echo", "walked"] });
        await start();
        await wire.bytes("POST", `/containers/${name}/wait`);
        return name;
      case "running":
      case "paused":
      case "tty":
        await create({ ...sleeping, Tty: kind === "tty" });
        await start();
        if (kind === "paused") await wire.bytes("POST", `/containers/${name}/pause`);
        return name;
    }
  }
}

async function answerOf(response: Response): Promise<Answer> {
  const contentType = response.headers.get("content-type") ?? "";
  const text = await beginningOf(response);
  const json = /json/.test(contentType) ? parsed(text) : undefined;
  const isError = response.status >= 400;
  const message = isError ? ((json as { message?: string } | undefined)?.message ?? text.trim()) : undefined;
  return {
    status: response.status,
    contentType,
    ...(message !== undefined && { message }),
    ...(!isError && json !== undefined && { json }),
  };
}

/** All of it, or what comes of a stream until it falls silent. */
async function beginningOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < 1 << 20;) {
    const silence = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => silence.resolve(undefined), SILENCE);
    const step = await Promise.race([reader.read(), silence.promise]);
    clearTimeout(timer);
    if (step?.value === undefined) break;
    chunks.push(step.value);
    size += step.value.length;
  }
  void reader.cancel().catch(() => {});
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const [first = ""] = text.split("\n");
    try {
      return JSON.parse(first);
    } catch {
      return undefined;
    }
  }
}
