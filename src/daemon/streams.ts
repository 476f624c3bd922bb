/** Sends what backends produce bit by bit: progress records, samples, bytes. */
import type { ProgressMessage } from "#api/types/image.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import type { LentAnswer } from "#lib/http/exchange.ts";
import type { Exchange } from "./api.ts";

/**
 * One JSON text per line, each on its way at once. What fails before the first record is thrown (and gets its HTTP
 * status); what fails later becomes `{"errorDetail": …, "error": …}`.
 */
export async function sendRecords(
  exchange: Exchange,
  records: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = records[Symbol.asyncIterator]();
  let step = await iterator.next();
  const body = exchange.response.stream(200, "application/json");
  try {
    for (; !step.done; step = await iterator.next()) {
      const taken = body.write(`${JSON.stringify(step.value, exactly)}\r\n`);
      if (taken === false || signal.aborted) return;
      if (taken !== true) await taken;
    }
  } catch (error) {
    const message = errorMessage(error);
    const last: ProgressMessage = { errorDetail: { message }, error: message };
    void body.write(`${JSON.stringify(last)}\r\n`);
  } finally {
    if (!step.done) await iterator.return?.();
    body.end();
  }
}

/** In the language since 2025, but not in TypeScript's library yet. */
type RawJson = typeof JSON & { rawJSON(text: string): unknown };

/** Integers that no double holds. */
function exactly(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? (JSON as RawJson).rawJSON(String(value)) : value;
}

/** Bytes as they come. A failure after the first ones breaks the connection, so that the client sees the cut. */
export async function sendBytes(
  exchange: Exchange,
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
  before?: Uint8Array,
): Promise<void> {
  const body = exchange.response.stream(200, contentType);
  if (before !== undefined) void body.write(before);
  for await (const chunk of chunks) {
    const taken = body.write(chunk);
    if (taken === false) return;
    if (taken !== true) await taken;
  }
  body.end();
}

/** A tar, read or written once. */
export interface OutgoingArchive extends AsyncIterable<Uint8Array> {
  /** Has it written by whoever makes it. Rejects where it is not whole. */
  writeTo(answer: LentAnswer): Promise<void>;
}

/** As `sendBytes`, without touching them where that is possible. */
export async function sendArchive(exchange: Exchange, contentType: string, archive: OutgoingArchive): Promise<void> {
  const answer = await exchange.response.lend(200, contentType);
  if (answer === undefined) return await sendBytes(exchange, contentType, archive);
  await archive.writeTo(answer);
  answer.end();
}

/** A backend's optional operation. Throws `not-implemented` where it has none. */
export function supported<T>(operation: T | undefined, what: string): T {
  if (operation === undefined) throw new EngineError("not-implemented", `${what} is not supported yet`);
  return operation;
}
