/**
 * `bun bench/volumes.ts [FILES [MEGABYTES]]`, after `bun run build`: backs a large volume up, restores and copies it,
 * compares every byte, owner, attribute and time, and prints how long it took; GNU tar does the same beside it.
 */
import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeVolumeTree, makeVolumeTree } from "#linux/volume-testing.ts";
import { startEngine } from "../tests/harness/engine.ts";
import { output } from "../tests/harness/process.ts";

const [files = 50_000, megabytes = 1000] = process.argv.slice(2).map(Number);
process.env["BERTH_BIN"] ??= join(import.meta.dir, "../dist/berth");

/** Half of it is noise, which no compressor makes smaller, and half of it text. */
function content(file: number): Uint8Array {
  const size = Math.round(((megabytes * 1e6) / files) * (0.5 + (file % 1000) / 1000));
  const bytes = Buffer.alloc(size, `line ${file} of a log that repeats itself a little\n`);
  crypto.getRandomValues(bytes.subarray(0, Math.min(65_536, size >> 1)));
  return bytes;
}

async function timed<T>(what: string, work: () => Promise<T> | T): Promise<T> {
  const from = performance.now();
  const result = await work();
  console.log(`${what.padEnd(44)} ${((performance.now() - from) / 1000).toFixed(2).padStart(7)} s`);
  return result;
}

function sameTree(one: readonly string[], other: readonly string[]): void {
  const at = one.findIndex((line, index) => line !== other[index]);
  if (at >= 0 || one.length !== other.length) throw new Error(`not the same: ${one[at]} and ${other[at]}`);
}

await using engine = await startEngine({ image: false });
const volume = (name: string): string => join(engine.dataRoot, "volumes", name, "_data");
const archive = join(engine.dataRoot, "full.tar.zst");
const other = join(engine.dataRoot, "gnu.tar.zst");
const patience = { timeout: 600_000 };
const berth = async (...words: string[]): Promise<string> => {
  const { code, stdout, stderr } = await engine.berth(["volume", ...words], patience);
  if (code !== 0) throw new Error(stderr);
  return stdout;
};
const flush = (): Promise<string> => output(["sync"], patience);

await berth("create", "full");
await timed(`make ${files} files, ${megabytes} MB`, () => makeVolumeTree(volume("full"), files, content));
await flush();
const before = describeVolumeTree(volume("full"));
const bytes = await berth("du", "--format", "{{.Size}} on disk, {{.ApparentSize}} apparent, {{.Files}} files", "full");
console.log(bytes.trim());
await timed("berth volume du", () => berth("du"));
await timed("berth volume backup", () => berth("backup", "-o", archive, "full"));
await timed("tar --zstd --xattrs --sparse -c", () =>
  output(["tar", "--zstd", "--xattrs", "--sparse", "-C", volume("full"), "-cf", other, "."], patience),
);
console.log(`archives: ${statSync(archive).size} bytes, by GNU tar ${statSync(other).size}`);
await flush();
await timed("berth volume restore (written to disk)", () => berth("restore", "-i", archive, "again"));
const unpacked = join(engine.dataRoot, "unpacked");
mkdirSync(unpacked);
await timed("tar --zstd --xattrs -x, then sync", async () => {
  await output(["tar", "--zstd", "--xattrs", "--xattrs-include=*", "-C", unpacked, "-xpf", other], patience);
  await flush();
});
// Others leave traces in the times of what they read.
const copied = describeVolumeTree(volume("full"));
await timed("berth volume cp (written to disk)", () => berth("cp", "full", "copy"));
await timed("cp -a, then sync", async () => {
  await output(["cp", "-a", volume("full"), join(engine.dataRoot, "copied")], patience);
  await flush();
});
const withoutSocket = before.filter((line) => !line.startsWith('["socket"'));
sameTree(describeVolumeTree(volume("again")), withoutSocket);
sameTree(describeVolumeTree(volume("copy")), copied);
console.log(`the same to the byte, owner, attribute and nanosecond: ${before.length} entries`);
for (const name of ["copied", "unpacked", "full.tar.zst", "gnu.tar.zst"]) {
  rmSync(join(engine.dataRoot, name), { recursive: true, force: true });
}
