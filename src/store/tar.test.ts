import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTar } from "./tar.ts";
import { writeTar } from "./tar-writer.ts";
import { bytesOf, chunks } from "./testing.ts";

async function collect(source: AsyncIterable<Uint8Array>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const entry of readTar(source)) {
    found[entry.name] = `${entry.type} ${entry.linkName} ${Buffer.from(await entry.bytes())
      .toString()
      .slice(0, 20)}`;
  }
  return found;
}

for (const format of ["gnu", "posix", "ustar"]) {
  test(`${format} archives of tar are read, in whatever pieces they come`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-tar-"));
    try {
      const long = format === "ustar" ? "short" : "x".repeat(200);
      mkdirSync(join(folder, "d".repeat(60), "e".repeat(60)), { recursive: true });
      writeFileSync(join(folder, "d".repeat(60), "e".repeat(60), "f"), "deep");
      writeFileSync(join(folder, long), "long");
      if (format === "posix") writeFileSync(join(folder, "grüße"), "utf8");
      symlinkSync(long, join(folder, "link"));
      const tar = Bun.spawnSync(["tar", `--format=${format}`, "-C", folder, "-c", "."]).stdout;
      const pieces = Array.from({ length: Math.ceil(tar.length / 333) }, (_, n) =>
        tar.subarray(n * 333, n * 333 + 333),
      );
      const found = await collect(chunks(...pieces));
      expect(found[`./${"d".repeat(60)}/${"e".repeat(60)}/f`]).toBe("file  deep");
      expect(found[`./${long}`]).toBe("file  long");
      expect(found["./link"]).toBe(`symlink ${long} `);
      if (format === "posix") expect(found["./grüße"]).toBe("file  utf8");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("what is written is read again, by tar too", async () => {
  const name = `${"ü".repeat(80)}/${"n".repeat(100)}`;
  const inputs = [
    { name: "dir", type: "directory" as const },
    { name, content: Buffer.from("content") },
    { name: "stream", size: 1000, content: chunks("a".repeat(400), "b".repeat(600)) },
    { name: "link", type: "symlink" as const, linkName: `../${name}` },
    { name: "empty", mtime: 1_500_000_000, mode: 0o600 },
  ];
  const tar = await bytesOf(writeTar(inputs));
  expect(await collect(chunks(tar))).toEqual({
    "dir/": "directory  ",
    [name]: "file  content",
    stream: `file  ${"a".repeat(20)}`,
    link: `symlink ../${name} `,
    empty: "file  ",
  });
  const listed = Bun.spawnSync(["tar", "-tv", "--full-time", "--quoting-style=literal", "--utc"], { stdin: tar });
  expect(listed.stderr.toString()).toBe("");
  expect(listed.stdout.toString()).toContain(`-rw------- 0/0               0 2017-07-14 02:40:00 empty`);
});

test("content that is not read is skipped", async () => {
  const names: string[] = [];
  const source = writeTar([
    { name: "a", content: Buffer.alloc(5000) },
    { name: "b", content: Buffer.alloc(7) },
  ]);
  for await (const { name } of readTar(source)) names.push(name);
  expect(names).toEqual(["a", "b"]);
});

test("damaged archives are refused", async () => {
  const tar = await bytesOf(writeTar([{ name: "a", content: Buffer.alloc(5000) }]));
  await expect(collect(chunks(tar.subarray(0, 3000)))).rejects.toThrow("cut off");
  await expect(collect(chunks(tar.subarray(0, 100)))).rejects.toThrow("cut off");
  await expect(collect(chunks(Buffer.alloc(1024, "x")))).rejects.toMatchObject({ kind: "invalid" });
  await expect(collect(writeTar([{ name: "a", content: Buffer.alloc(5_000_000) }]))).rejects.toMatchObject({
    kind: "invalid",
  });
  await expect(bytesOf(writeTar([{ name: "a", size: 3, content: chunks("four") }]))).rejects.toThrow("not 3 bytes");
});
