/** Loads, pulls, removals and prunes of the same layers at the same time: shared, and never taken from each other. */
import { expect, test } from "bun:test";
import { randomFillSync } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxArchive, busyboxLayer, dockerArchive, testImage } from "./harness/image.ts";
import { LocalRegistry } from "./harness/registry.ts";
import { tar } from "./harness/tar.ts";

function noise(): Buffer<ArrayBuffer> {
  return tar([{ name: "noise", content: randomFillSync(Buffer.alloc(8 << 20)) }]);
}

async function pull(engine: Engine, image: string, signal?: AbortSignal): Promise<string> {
  const response = await fetch(`http://localhost/images/create?fromImage=${encodeURIComponent(image)}`, {
    unix: engine.socket,
    method: "POST",
    ...(signal && { signal }),
  });
  return await response.text();
}

function stored(engine: Engine): { layers: string[]; blobs: string[] } {
  const list = (folder: string) => readdirSync(join(engine.dataRoot, folder)).toSorted();
  return { layers: list("layers"), blobs: list("blobs/sha256") };
}

test("loads of the same layers share them, and one that goes away does not break the others", async () => {
  await using engine = await startEngine({ image: false });
  const layers = [await busyboxLayer(), noise()];
  const archive = (tag: string) => dockerArchive({ tags: [tag], layers });
  const leaving = new AbortController();
  const left = fetch("http://localhost/images/load?quiet=1", {
    unix: engine.socket,
    method: "POST",
    body: new ReadableStream({
      start(controller) {
        controller.enqueue(archive("left:1").subarray(0, 6 << 20)); // and no end
      },
    }),
    signal: leaving.signal,
  }).catch(String);
  const loads = Array.from({ length: 4 }, (_, i) => engine.load(archive(`same:${i}`)));
  leaving.abort();
  await Promise.all(loads);
  await left;
  expect(stored(engine).layers).toHaveLength(2);
  const box = await engine.run(["wc", "-c", "/noise"], { Image: "same:3" });
  await box.wait();
  expect((await box.logs()).stdout).toBe(`${8 << 20} /noise\n`);
  expect(await engine.leftovers()).toEqual([]);
});

test("pulls of the same layers share one download, and one that goes away does not break the others", async () => {
  await using engine = await startEngine({ image: false });
  using registry = new LocalRegistry();
  registry.publish("box", "1", [await busyboxLayer(), noise()]);
  const leaving = new AbortController();
  const first = pull(engine, `${registry.host}/box:1`, leaving.signal).catch(String);
  const others = [1, 2, 3].map(() => pull(engine, `${registry.host}/box:1`));
  leaving.abort();
  await first;
  for (const said of await Promise.all(others))
    expect(said).toMatch(/Status: (Downloaded newer image|Image is up to date)/);
  expect(stored(engine).layers).toHaveLength(2);
  expect(await engine.leftovers()).toEqual([]);
});

test("prunes and removals while images arrive take nothing that is being loaded", async () => {
  await using engine = await startEngine();
  const base = await busyboxLayer();
  const end = new AbortController();
  const prune = (async () => {
    while (!end.signal.aborted) await engine.wire.bytes("POST", "/images/prune");
  })();
  try {
    for (let round = 0; round < 5; round++) {
      const extra = noise();
      const names = [0, 1].map((i) => `round${round}:${i}`);
      await Promise.all(names.map((name) => engine.load(dockerArchive({ tags: [name], layers: [base, extra] }))));
      await Promise.all([
        engine.wire.bytes("DELETE", `/images/${names[0]}`),
        engine.wire.bytes("DELETE", `/images/${testImage}`),
        engine.load(await busyboxArchive()),
      ]);
      const box = await engine.run(["wc", "-c", "/noise"], { Image: `round${round}:1` });
      expect(await box.wait()).toBe(0);
      await box.remove();
      await engine.wire.bytes("DELETE", `/images/${names[1]}`);
    }
  } finally {
    end.abort();
    await prune;
  }
  expect(await engine.leftovers()).toEqual([]);
});
