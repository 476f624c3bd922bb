/** Gives a child a stream as its standard input, in half the time that Bun takes when it is handed the stream itself. */

/** Bytes that go to the pipe at once. */
const batch = 128 * 1024;

/**
 * Writes `source` to `input` and ends it; waits while the pipe is full. Ends the source when `gone` settles or nobody
 * reads. Never rejects: resolves with what the source failed with, else undefined.
 */
export async function feed(
  source: ReadableStream<Uint8Array>,
  input: Bun.FileSink,
  gone: Promise<unknown>,
): Promise<Error | undefined> {
  const reader = source.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  gone.then(stop, stop);
  let failure: Error | undefined;
  let held = 0;
  for (;;) {
    const next = await reader.read().catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error(String(error));
      return undefined;
    });
    if (next?.value === undefined) break;
    try {
      await input.write(next.value);
      held += next.value.length;
      if (held < batch) continue;
      held = 0;
      await input.flush();
    } catch {
      // The child has ended: it says why.
      stop();
      break;
    }
  }
  try {
    await input.end();
  } catch {
    // As above.
  }
  return failure;
}
