/** Hostile and broken image archives: refused with the reason, without a trace outside and inside the data root. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { startEngine } from "./harness/engine.ts";
import { busyboxArchive, busyboxLayer, dockerArchive } from "./harness/image.ts";
import { output } from "./harness/process.ts";
import { tar, type TarEntry } from "./harness/tar.ts";

const canary = "/var/tmp/berth-escaped";

const hostile: Record<string, TarEntry[]> = {
  "a path with ..": [{ name: `../../../../../../../..${canary}`, content: "x" }],
  "an absolute path": [{ name: canary, content: "x" }],
  "a file below an absolute link": [
    { name: "way", type: "symlink", link: "/var/tmp" },
    { name: "way/berth-escaped", content: "x" },
  ],
  "a file below a link with ..": [
    { name: "way", type: "symlink", link: "../../../../../../../../var/tmp" },
    { name: "way/berth-escaped", content: "x" },
  ],
  "a link that is swapped for a folder and back": [
    { name: "way/", type: "directory" },
    { name: "way", type: "symlink", link: "/var/tmp" },
    { name: "way/berth-escaped", content: "x" },
  ],
  "a hard link to the outside": [
    { name: "shadow", type: "hardlink", link: "../../../../../../../../etc/hostname" },
    { name: "shadow", content: "x" },
  ],
  "a whiteout of the outside": [{ name: "../../../../../../../../var/tmp/.wh.berth-escaped", content: "" }],
};

for (const [what, entries] of Object.entries(hostile)) {
  test(`${what} cannot reach outside`, async () => {
    await using engine = await startEngine({ image: false });
    const hostname = await Bun.file("/etc/hostname").text();
    // Such a layer may also be taken, with all its paths below its own root; it must only never leave it.
    await engine
      .load(dockerArchive({ tags: ["hostile:1"], layers: [await busyboxLayer(), tar(entries)] }))
      .catch(String);
    expect(existsSync(canary)).toBe(false);
    expect(await Bun.file("/etc/hostname").text()).toBe(hostname);
    expect(await engine.leftovers()).toEqual([]);
  });
}

test("a truncated gzip is refused", async () => {
  await using engine = await startEngine({ image: false });
  const whole = Bun.gzipSync(await busyboxArchive());
  await expect(engine.load(new Uint8Array(whole.subarray(0, whole.length >> 1)))).rejects.toThrow();
  expect(await engine.wire.json<object[]>("GET", "/images/json")).toEqual([]);
  expect(await engine.leftovers()).toEqual([]);
});

test("a truncated layer inside is refused", async () => {
  await using engine = await startEngine({ image: false });
  const layer = await busyboxLayer();
  await expect(
    engine.load(dockerArchive({ tags: ["short:1"], layers: [layer.subarray(0, 100_000)] })),
  ).rejects.toThrow();
  expect(await engine.leftovers()).toEqual([]);
});

test("a layer that is not what its diffID says is refused", async () => {
  await using engine = await startEngine({ image: false });
  const archive = dockerArchive({
    tags: ["wrong:1"],
    layers: [await busyboxLayer()],
    diffIds: [`sha256:${"0".repeat(64)}`],
  });
  await expect(engine.load(archive)).rejects.toThrow(/sha256:0{12}|digest|diffID/);
  expect(await engine.wire.json<object[]>("GET", "/images/json")).toEqual([]);
  expect(await engine.leftovers()).toEqual([]);
});

test("what is no image archive at all is refused", async () => {
  await using engine = await startEngine({ image: false });
  await expect(engine.load(Buffer.from("this is not a tar"))).rejects.toThrow();
  await expect(engine.load(tar([{ name: "hello", content: "world" }]))).rejects.toThrow();
  await expect(engine.load(tar([{ name: "manifest.json", content: "[{" }]))).rejects.toThrow();
  await expect(
    engine.load(
      tar([
        {
          name: "manifest.json",
          content: '[{"Config":"../../etc/passwd","RepoTags":["x:1"],"Layers":["/etc/shadow"]}]',
        },
      ]),
    ),
  ).rejects.toThrow();
  expect(await engine.leftovers()).toEqual([]);
});

test("a bomb of ten gigabytes of zeros stops at the limit", async () => {
  await using engine = await startEngine({ image: false, arguments: ["--max-layer-size", "100m"] });
  const size = 10 * 2 ** 30;
  // A gzip file may be made of many: 160 times the same 64 MB of zeros after a header that claims them all.
  const header = Bun.gzipSync(tar([{ name: "zeros", size }]).subarray(0, 512));
  const zeros = Bun.gzipSync(new Uint8Array(64 << 20));
  const layer = Buffer.concat([header, ...Array.from({ length: 160 }, () => zeros)]);
  const archive = dockerArchive({ tags: ["bomb:1"], layers: [layer], diffIds: [`sha256:${"1".repeat(64)}`] });
  await expect(engine.load(archive)).rejects.toThrow(/limit|larger|exceed/i);
  expect(await engine.leftovers()).toEqual([]);
});

test("a full disk while unpacking is told, and the space comes back", async () => {
  const image = `/var/tmp/bt-disk-${process.pid}.img`;
  const folder = `/var/tmp/bt-disk-${process.pid}`;
  await using cleanup = new AsyncDisposableStack();
  await output([
    "sh",
    "-ec",
    `truncate -s 48M ${image}; mkfs.ext4 -q ${image}; mkdir ${folder}; mount -o loop ${image} ${folder}`,
  ]);
  cleanup.defer(async () => void (await output(["sh", "-c", `umount ${folder}; rm -r ${folder}; rm ${image}`])));
  {
    await using engine = await startEngine({ dataRoot: folder });
    const noise = Buffer.alloc(30 << 20);
    for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
    const archive = dockerArchive({
      tags: ["big:1"],
      layers: [await busyboxLayer(), tar([{ name: "noise", content: noise }])],
    });
    await expect(engine.load(archive)).rejects.toThrow(/no space left/i);
    // What was there goes on working.
    const box = await engine.run(["true"]);
    expect(await box.wait()).toBe(0);
    expect(await engine.leftovers()).toEqual([]);
  }
});
