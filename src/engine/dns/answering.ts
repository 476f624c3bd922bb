/** Decides what a container's query gets: an answer of ours, a refusal, or the answer of another server. */
import type { Forwarder } from "./forwarder.ts";
import { CLASS_IN, parseQuery, type Query, TYPE_A, TYPE_AAAA, writeAnswer, writeRefusal } from "./message.ts";
import type { NameTables } from "./names.ts";
import type { NamedSandbox } from "./protocol.ts";

/** Longest message on TCP. */
export const TCP_LIMIT = 0xffff;

export interface Client {
  readonly transport: "udp" | "tcp";
  /** Raw address, or what else tells it from others. */
  readonly key: string;
  /** Sends an answer that comes later; called once at most. */
  reply(answer: Uint8Array): void;
}

/** The rest of the thread knows sockets only; this knows what they say. */
export class Answering {
  readonly tables: NameTables;
  readonly forwarder: Forwarder;
  readonly #scratch = new Uint8Array(TCP_LIMIT);

  constructor(tables: NameTables, forwarder: Forwarder) {
    this.tables = tables;
    this.forwarder = forwarder;
  }

  /**
   * Writes the answer to `message` into `out` and returns its length. With 0 there is none, or it comes by the
   * client's `reply`: `client` is called for then. `message` may be overwritten afterwards.
   */
  answer(sandbox: NamedSandbox, message: Uint8Array, out: Uint8Array, client: () => Client): number {
    const query = parseQuery(message);
    if (query === undefined) return 0;
    if (typeof query === "number") return writeRefusal(out, message, query);
    const limit = out.length >= TCP_LIMIT ? TCP_LIMIT : query.limit;
    const found = this.#find(sandbox, query);
    if (found !== undefined) return writeAnswer(out, query, { ...found, limit });
    this.#forward(sandbox, { ...query, bytes: message.slice() }, client());
    return 0;
  }

  #find(sandbox: NamedSandbox, query: Query) {
    // What we cannot read is answered by saying so.
    if ((query.ednsVersion ?? 0) > 0) return {};
    if (query.class !== CLASS_IN) return undefined;
    const found = this.tables.resolve(sandbox.id, query.name, query.type);
    if (found !== undefined) return found;
    // As Docker: the client tries its search domains then.
    const address = query.type === TYPE_A || query.type === TYPE_AAAA;
    return address && sandbox.ndots && !query.name.includes(".") ? {} : undefined;
  }

  #forward(sandbox: NamedSandbox, query: Query, client: Client): void {
    const reply = (answer: Uint8Array) => client.reply(answer);
    this.forwarder.forward(sandbox, query, {
      transport: client.transport,
      key: `${client.key} ${query.id} ${query.type} ${query.name}`,
      reply,
      refuse: (code) => {
        const length = writeAnswer(this.#scratch, query, { code, limit: query.limit });
        reply(this.#scratch.slice(0, length));
      },
    });
  }
}
