import { expect, test } from "bun:test";
import { compressionOf, decompress } from "./stream.ts";

/** A tar of one file "hello", made by tar, xz and bzip2. */
const xz =
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AGBdADQZSe6N1/i4P8k3Mt7I1YCE//IZ90G1wny6qtj+Uw2SLrdOtbDVDHkBNd8gMzG1RKmGhZUOPfcIaBirvBk3FAABCYRJ+9aGs4RR/Jbu3yxNtvcYU8FnpARmYrEVka/0AABo+cvvtbQsOAABfIBQAAAAV6ZexbHEZ/sCAAAAAARZWg==";
const bzip2 =
  "QlpoOTFBWSZTWZM7Kr0AAHF7hMmQAERAAG+AAAhiRJ4AAACACCAAVCUo9QDTRtTRpk9QSVPKDR6gaA0FPu4d0IJWAJE9JE4vtM6kkDBDD0Zq0luqDLOGyyyncN6dvUsEhi2tXwHfFEQPxdyRThQkJM7Kr0A=";

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += 50) yield bytes.subarray(at, at + 50);
}

async function plainOf(bytes: Uint8Array): Promise<string> {
  const { stream } = await decompress(pieces(bytes), "the archive");
  return Buffer.concat(await Array.fromAsync(stream)).toString("latin1");
}

test("every compression that archives come in is known by its first bytes, and undone", async () => {
  const tar = Buffer.from(await plainOf(Buffer.from(xz, "base64")), "latin1");
  expect(tar.toString("latin1").startsWith("hello\0")).toBe(true);
  expect(tar.toString("latin1", 512, 518)).toBe("hello\n");
  expect(tar.length).toBe(10_240);
  const forms = {
    xz: Buffer.from(xz, "base64"),
    bzip2: Buffer.from(bzip2, "base64"),
    gzip: Bun.gzipSync(tar),
    zstd: Bun.zstdCompressSync(tar),
    none: tar,
  };
  for (const [name, bytes] of Object.entries(forms)) {
    expect(compressionOf(bytes)).toBe(name as "xz");
    expect(await plainOf(bytes)).toBe(tar.toString("latin1"));
  }
});

test("what is cut off or damaged is refused", async () => {
  const packed = [
    Buffer.from(xz, "base64"),
    Bun.gzipSync(Buffer.alloc(100_000, "random? no")),
    Buffer.from(bzip2, "base64"),
  ];
  for (const bytes of packed) {
    const said = await plainOf(bytes.subarray(0, bytes.length - 30)).catch(String);
    expect(said).toContain("cannot read the archive: ");
  }
});

test("the error of the source is told, not what the decoder makes of it", async () => {
  async function* broken(): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from(xz, "base64").subarray(0, 60);
    throw new Error("the client went away");
  }
  const reading = async () => {
    const { stream } = await decompress(broken(), "the archive");
    for await (const _ of stream);
  };
  expect(await reading().catch(String)).toBe("Error: the client went away");
});
