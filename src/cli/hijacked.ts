/** A request that becomes a raw two-way stream (`Upgrade: tcp`): attach and exec. */

import { type ClientTls, tlsOptions } from "./tls.ts";

/** Where a daemon listens. */
export type Endpoint =
  { readonly unix: string } | { readonly hostname: string; readonly port: number; readonly tls?: ClientTls };

/** The daemon's refusal. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
}

/** Takes the stream's bytes in order; may be called with a buffer that is reused afterwards. */
export type Receive = (chunk: Uint8Array) => void;

/**
 * The stream after the upgrade. Bytes that come before `receive` was called are kept. `closed` settles at its end
 * and rejects with what `receive` threw. Whoever opened it calls `close`.
 */
export class Hijacked {
  readonly closed: Promise<void>;
  readonly #socket: Bun.Socket;
  readonly #state: State;

  constructor(socket: Bun.Socket, state: State) {
    this.#socket = socket;
    this.#state = state;
    this.closed = state.closed.promise;
  }

  /** Called once: hands over everything that came so far and whatever follows. */
  receive(receive: Receive): void {
    const { early } = this.#state;
    this.#state.early = [];
    this.#state.receive = receive;
    for (const chunk of early) deliver(this.#state, chunk);
    if (this.#state.ended) finish(this.#state);
  }

  /** Resolves when the daemon can take more. */
  write(data: Uint8Array): Promise<void> {
    return writeAll(this.#socket, this.#state, data);
  }

  /** Ends our side only; output still comes. */
  closeWrite(): void {
    this.#socket.flush();
    this.#socket.shutdown();
  }

  close(): void {
    this.#socket.end();
  }
}

interface State {
  /** Bytes of the answer's head; undefined once it was read. */
  head: Buffer | undefined;
  early: Uint8Array[];
  receive: Receive | undefined;
  ended: boolean;
  closed: PromiseWithResolvers<void>;
  drained: PromiseWithResolvers<void> | undefined;
}

/** Sends the request and resolves once the daemon has upgraded the connection or refused. */
export async function hijack(endpoint: Endpoint, path: string, body: string | undefined): Promise<Hijacked | Refusal> {
  const state: State = {
    head: Buffer.alloc(0),
    early: [],
    receive: undefined,
    ended: false,
    closed: Promise.withResolvers(),
    drained: undefined,
  };
  // Nobody may be waiting yet when the connection breaks.
  state.closed.promise.catch(() => undefined);
  const answered = Promise.withResolvers<Hijacked | Refusal>();
  const end = (socket: Bun.Socket) => {
    state.ended = true;
    secured.reject(new Error("the connection ended before it was secured"));
    state.drained?.resolve();
    if (state.head)
      answered.resolve(refusal(state.head) ?? { status: 0, message: "the connection ended before an answer" });
    else if (state.receive) finish(state);
    socket.end();
  };
  const secured = Promise.withResolvers<void>();
  secured.promise.catch(() => undefined);
  const handler: Bun.SocketHandler<undefined> = {
    handshake(_, success, error) {
      if (success) secured.resolve();
      else secured.reject(error);
    },
    data(socket, chunk) {
      if (!state.head) {
        deliver(state, chunk);
        return;
      }
      state.head = Buffer.concat([state.head, chunk]);
      const blank = state.head.indexOf("\r\n\r\n");
      if (blank < 0) return;
      const status = Number(state.head.subarray(9, 12).toString());
      if (status === 101 || status === 200) {
        const rest = state.head.subarray(blank + 4);
        state.head = undefined;
        answered.resolve(new Hijacked(socket, state));
        if (rest.length > 0) deliver(state, rest);
        return;
      }
      const refused = refusal(state.head);
      if (!refused) return;
      answered.resolve(refused);
      socket.end();
    },
    drain() {
      state.drained?.resolve();
      state.drained = undefined;
    },
    end,
    close: end,
    error: end,
  };
  // The daemon's output goes on after our input has ended.
  const socket = await ("unix" in endpoint
    ? Bun.connect({ ...endpoint, allowHalfOpen: true, socket: handler })
    : Bun.connect({
        hostname: endpoint.hostname,
        port: endpoint.port,
        allowHalfOpen: true,
        socket: handler,
        ...(endpoint.tls && { tls: { ...tlsOptions(endpoint.tls), serverName: endpoint.hostname } }),
      }));
  if ("tls" in endpoint) await secured.promise;
  const type = body === undefined ? "" : "Content-Type: application/json\r\n";
  const head = `POST ${path} HTTP/1.1\r\nHost: berth\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${type}Content-Length: ${Buffer.byteLength(body ?? "")}\r\n\r\n`;
  await writeAll(socket, state, Buffer.from(head + (body ?? "")));
  return answered.promise;
}

async function writeAll(socket: Bun.Socket, state: State, data: Uint8Array): Promise<void> {
  let rest = data;
  while (!state.ended) {
    rest = rest.subarray(Math.max(0, socket.write(rest)));
    if (rest.length === 0) return;
    await (state.drained ??= Promise.withResolvers<void>()).promise;
  }
}

function deliver(state: State, chunk: Uint8Array): void {
  if (!state.receive) {
    state.early.push(Uint8Array.from(chunk));
    return;
  }
  try {
    state.receive(chunk);
  } catch (error) {
    state.closed.reject(error);
  }
}

function finish(state: State): void {
  state.closed.resolve();
}

/** The refusal in a whole answer; undefined while its body is not complete. */
function refusal(answer: Buffer): Refusal | undefined {
  const text = answer.toString();
  const blank = text.indexOf("\r\n\r\n");
  if (blank < 0) return undefined;
  const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, blank))?.[1] ?? Number.NaN);
  const chunked = /^transfer-encoding: *chunked/im.test(text.slice(0, blank));
  const body = answer.subarray(answer.indexOf("\r\n\r\n") + 4);
  if (chunked ? !body.includes("0\r\n\r\n") : !(body.length >= length)) return undefined;
  const status = Number(text.slice(9, 12));
  const message = /"message"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(body.toString())?.[1];
  return { status, message: message === undefined ? body.toString().trim() : (JSON.parse(message) as string) };
}
