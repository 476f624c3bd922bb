/** Fetches the files of a package mirror: again where the network fails, and never other bytes than were promised. */
import { open, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, errorKind, errorMessage } from "#lib/errors.ts";
import { storeError } from "#store/partial.ts";

const attempts = 4;
/** Milliseconds without a byte after which a transfer is given up. */
const stallTimeout = 20_000;
/** Of documents that are kept in memory. */
const documentLimit = 16 * 1024 * 1024;

/** What the file must turn out to be. */
export interface Promised {
  /** Bytes. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Proxies come from the environment, as Bun reads them. Rejects "unavailable" with the address that failed. */
export class Mirror {
  /** Without a slash at the end. */
  readonly base: string;
  readonly #wait: number;

  /** `wait` is the time before a second attempt, in milliseconds; it doubles with each one. */
  constructor(base: string, wait = 500) {
    this.#wait = wait;
    this.base = base.replace(/\/+$/, "");
  }

  /** A small file; undefined where the mirror has none of that name. */
  async document(path: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return await this.#retry(path, signal, async (response) => {
      if (response === undefined) return undefined;
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of response) {
        size += chunk.length;
        if (size > documentLimit)
          throw new EngineError("invalid", `${this.base}/${path} is larger than ${documentLimit} bytes`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    });
  }

  /** Writes the file to `target`, which is made. Rejects "invalid" where it is not what was promised. */
  async file(path: string, target: string, promised: Promised, signal: AbortSignal): Promise<void> {
    await this.#retry(path, signal, async (response) => {
      if (response === undefined) throw new EngineError("not-found", `${this.base}/${path} not found`);
      const hash = new Bun.CryptoHasher("sha256");
      let size = 0;
      await rm(target, { force: true });
      await using output = await open(target, "wx", 0o644);
      for await (const chunk of response) {
        size += chunk.length;
        if (size > promised.size) break;
        hash.update(chunk);
        await output.write(chunk);
      }
      const sha256 = hash.digest("hex");
      if (size < promised.size) throw new EngineError("unavailable", `${size} of ${promised.size} bytes arrived`);
      if (size === promised.size && sha256 === promised.sha256) return;
      throw new EngineError(
        "invalid",
        `${this.base}/${path} is not what the lists of the mirror say: its SHA256 is ${sha256}`,
      );
    });
  }

  async #retry<T>(
    path: string,
    signal: AbortSignal,
    use: (body: AsyncIterable<Uint8Array> | undefined) => Promise<T>,
  ): Promise<T> {
    const address = `${this.base}/${path}`;
    for (let attempt = 1; ; attempt++) {
      const stalled = new AbortController();
      const timer = setTimeout(() => stalled.abort(), stallTimeout);
      try {
        const response = await fetch(address, { signal: AbortSignal.any([signal, stalled.signal]) });
        if (response.status === 404) return await use(undefined);
        if (!response.ok)
          throw new EngineError("unavailable", `the mirror answered ${response.status} ${response.statusText}`);
        return await use(alive(response, timer));
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof EngineError && errorKind(error) !== "unavailable") throw error;
        const isDisk = ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
        if (isDisk) throw storeError(`the file ${path}`, error);
        if (attempt < attempts) {
          await sleep(this.#wait * 2 ** (attempt - 1), undefined, { signal });
          continue;
        }
        const why = stalled.signal.aborted ? "the mirror does not answer" : errorMessage(error);
        throw new EngineError("unavailable", `cannot download ${address}: ${why}`, { cause: error });
      } finally {
        clearTimeout(timer);
      }
    }
  }
}

/** Each chunk pushes the time-out off. */
async function* alive(response: Response, timer: Timer): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of response.body ?? []) {
    timer.refresh();
    yield chunk;
  }
}
