/** Recognises compressed byte streams by their first bytes and undoes the compression. */
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { decompressStream } from "#linux/helper-client.ts";
import * as types from "#oci/media-type.ts";

export type StreamCompression = types.Compression | "xz" | "bzip2";

/** By magic number; "none" for what looks like nothing known. */
export function compressionOf(head: Uint8Array): StreamCompression {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);
  if (starts(0x1f, 0x8b)) return "gzip";
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  // A zstd stream may begin with a skippable frame.
  if ((head[0] ?? 0) >= 0x50 && (head[0] ?? 0) <= 0x5f && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18)
    return "zstd";
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a)) return "xz";
  if (starts(0x42, 0x5a, 0x68)) return "bzip2";
  return "none";
}

/** Whether the bytes are the first block of a tar: "ustar" stands at a fixed place in every kind that is still written. */
export function isTar(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(257, 262)).toString("latin1") === "ustar";
}

/** Looks at the first `size` bytes (fewer at the stream's end) without losing them. */
export async function peek(
  source: AsyncIterable<Uint8Array>,
  size: number,
): Promise<{ head: Uint8Array; rest: AsyncGenerator<Uint8Array, void, undefined> }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let ended = false;
  while (length < size && !ended) {
    const next = await iterator.next();
    if (next.done === true) ended = true;
    else {
      chunks.push(next.value);
      length += next.value.length;
    }
  }
  async function* rest(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* chunks;
      if (ended) return;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(chunks), rest: rest() };
}

/** The uncompressed stream. Rejects "invalid" while it is read where the data is damaged or cut off. */
export async function decompress(
  source: AsyncIterable<Uint8Array>,
  what: string,
): Promise<{ compression: StreamCompression; head: Uint8Array; stream: AsyncIterable<Uint8Array> }> {
  const { head, rest } = await peek(source, 512);
  const compression = compressionOf(head);
  if (compression === "none") return { compression, head, stream: rest };
  const isRare = compression === "xz" || compression === "bzip2";
  const plain = await peek(isRare ? expand(rest, what) : inflate(rest, compression, what), 512);
  return { compression, head: plain.head, stream: plain.rest };
}

/** What the runtime has no decoder for goes through libarchive, in a process of its own. */
async function* expand(source: AsyncGenerator<Uint8Array, void>, what: string): AsyncGenerator<Uint8Array, void> {
  const stop = new AbortController();
  let failure: { cause: unknown } | undefined;
  const input = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await source.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      } catch (cause) {
        failure = { cause };
        controller.close(); // the decoder says that it is cut off; we know why
      }
    },
  });
  const { stream, done } = decompressStream(input, Number.MAX_SAFE_INTEGER, stop.signal);
  try {
    yield* stream as AsyncIterable<Uint8Array>;
    await done;
  } catch (cause) {
    if (failure !== undefined) throw failure.cause;
    throw new EngineError("invalid", `cannot read ${what}: ${errorMessage(cause)}`, { cause });
  } finally {
    stop.abort();
    await source.return();
  }
}

async function* inflate(
  source: AsyncIterable<Uint8Array>,
  compression: "gzip" | "zstd",
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const options = { chunkSize: 256 * 1024 };
  const inflater = compression === "gzip" ? createGunzip(options) : createZstdDecompress(options);
  const input = Readable.from(source, { objectMode: false });
  let inputError: Error | undefined;
  input.on("error", (error) => {
    inputError = error;
    inflater.destroy(error);
  });
  input.pipe(inflater);
  try {
    yield* inflater as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (inputError !== undefined) throw inputError;
    throw new EngineError("invalid", `cannot read ${what}: ${compression}: ${errorMessage(cause)}`, { cause });
  } finally {
    input.destroy();
    inflater.destroy();
  }
}

const layerTypes: Readonly<Record<types.Compression, string>> = {
  none: types.ociLayer,
  gzip: types.ociLayerGzip,
  zstd: types.ociLayerZstd,
};

/** OCI media type of a layer blob, by its first bytes. Rejects "invalid" for other compressions. */
export async function layerMediaType(blob: Bun.BunFile): Promise<string> {
  const compression = compressionOf(new Uint8Array(await blob.slice(0, 8).arrayBuffer()));
  if (compression === "xz" || compression === "bzip2") {
    throw new EngineError("invalid", `layers compressed with ${compression} are not supported: use gzip, zstd or none`);
  }
  return layerTypes[compression];
}
