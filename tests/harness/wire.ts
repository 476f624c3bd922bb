/** Speaks HTTP to a daemon's unix socket with nothing of Berth's own in between: what goes over the wire is the test. */
import { connect, type Socket } from "node:net";
import { patience } from "#lib/testing.ts";

/** An answer with status 400 or above; `message` is the daemon's own. */
export class WireError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "WireError";
    this.status = status;
  }
}

export interface WireRequest {
  /** Sent as JSON, unless it is raw bytes or a file. */
  body?: object | Uint8Array<ArrayBuffer> | Bun.BunFile | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** One daemon's API under one version prefix; every request has a connection of its own. */
export class Wire {
  readonly socket: string;
  readonly version: string;

  constructor(socket: string, version = "1.50") {
    this.socket = socket;
    this.version = version;
  }

  /** The answer as it is, whatever its status; the caller reads the body. */
  async send(method: string, path: string, request: WireRequest = {}): Promise<Response> {
    const { body, headers = {}, signal } = request;
    const raw = body instanceof Uint8Array || body instanceof Blob;
    return await fetch(`http://localhost/v${this.version}${path}`, {
      unix: this.socket,
      method,
      headers: {
        Connection: "close",
        ...(body === undefined ? {} : { "Content-Type": raw ? "application/x-tar" : "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Rejects with WireError for status 400 and above. The body is read. */
  async bytes(method: string, path: string, request?: WireRequest): Promise<Uint8Array> {
    const response = await this.send(method, path, request);
    const bytes = await response.bytes();
    if (response.status >= 400) throw new WireError(response.status, errorText(bytes));
    return bytes;
  }

  /** The parsed JSON body; undefined where it is empty. The caller names the type that the API promises. */
  async json<T>(method: string, path: string, body?: object): Promise<T> {
    const text = new TextDecoder().decode(await this.bytes(method, path, { body }));
    return (text.trim() === "" ? undefined : JSON.parse(text)) as T;
  }

  /** A POST that takes the connection over, as attach and exec do. The caller disposes of it. */
  async hijack(path: string, body: object = {}): Promise<Hijacked> {
    const socket = connect({ path: this.socket, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    const text = JSON.stringify(body);
    socket.write(
      `POST /v${this.version}${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    const connection = new Hijacked(socket);
    await connection.head();
    return connection;
  }
}

function errorText(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  try {
    return (JSON.parse(text) as { message: string }).message;
  } catch {
    return text;
  }
}

/** A taken-over connection. Everything that arrives is kept, so nothing is missed between two reads. */
export class Hijacked implements Disposable {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #ended = false;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const changed = () => {
      this.#changed.resolve();
      this.#changed = Promise.withResolvers<void>();
    };
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      changed();
    });
    const ended = () => {
      this.#ended = true;
      changed();
    };
    socket.on("end", ended);
    socket.on("close", ended);
    socket.on("error", ended);
  }

  /** Reads the response head. Rejects with WireError where the daemon refused. */
  async head(): Promise<void> {
    await this.#wait(() => this.#received.includes("\r\n\r\n"), "the response head");
    const end = this.#received.indexOf("\r\n\r\n");
    const head = this.#received.subarray(0, end).toString();
    const status = Number(head.split(" ")[1]);
    if (status >= 400) {
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      await this.#wait(() => this.#received.length >= end + 4 + length, "the error");
      throw new WireError(status, errorText(this.#received.subarray(end + 4)));
    }
    if (status !== 101) throw new WireError(status, `no upgrade: ${head}`);
    this.#chunks = [this.#received.subarray(end + 4)];
  }

  get #received(): Buffer {
    const [first, ...rest] = this.#chunks;
    if (first !== undefined && rest.length === 0) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  write(data: string | Uint8Array): void {
    this.#socket.write(data);
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Shuts down our half; the other side may go on. */
  end(): void {
    this.#socket.end();
  }

  /** All that arrived, once the daemon has ended its half. */
  async all(): Promise<Buffer> {
    await this.#wait(() => this.#ended, "the end of the stream");
    return this.#received;
  }

  /** All that arrived so far, as soon as it contains `text`. */
  async until(text: string): Promise<Buffer> {
    await this.#wait(() => this.#received.includes(text), JSON.stringify(text));
    return this.#received;
  }

  /** How many bytes arrived so far. */
  get length(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  get ended(): boolean {
    return this.#ended;
  }

  async #wait(done: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + 20_000 * patience;
    while (!done()) {
      const left = deadline - Date.now();
      if (this.#ended || left <= 0) {
        const why = this.#ended ? "the connection ended" : "time passed";
        throw new Error(`${why} before ${what} came; so far: ${this.#received.toString("latin1").slice(-500)}`);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, left);
      await Promise.race([this.#changed.promise, promise]);
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** Takes apart a stream without a tty: frames of `[stream, 0, 0, 0, length (4 bytes, big endian)]` and payload. */
export function demultiplex(stream: Uint8Array): { stdout: string; stderr: string } {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  const parts: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes[at];
    const length = bytes.readUInt32BE(at + 4);
    if ((kind !== 1 && kind !== 2) || at + 8 + length > bytes.length) {
      throw new Error(
        `no frame of stdout or stderr at byte ${at} of ${bytes.length}: ${bytes.toString("hex", at, at + 8)}`,
      );
    }
    parts[kind - 1]?.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return { stdout: Buffer.concat(parts[0]).toString(), stderr: Buffer.concat(parts[1]).toString() };
}
