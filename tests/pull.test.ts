/** Pulling without credentials, from a registry on the loopback (plain HTTP there, as Docker allows it). */
import { expect, test } from "bun:test";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxLayer } from "./harness/image.ts";
import { LocalRegistry } from "./harness/registry.ts";
import { tar } from "./harness/tar.ts";

async function pull(engine: Engine, reference: string): Promise<string> {
  const at = reference.includes("@") ? reference.indexOf("@") : reference.lastIndexOf(":");
  const query = new URLSearchParams({ fromImage: reference.slice(0, at), tag: reference.slice(at + 1) });
  return new TextDecoder().decode(await engine.wire.bytes("POST", `/images/create?${query.toString()}`));
}

test("OCI and Docker media types, manifest lists, gzip, zstd and plain layers", async () => {
  await using engine = await startEngine({ image: false });
  using registry = new LocalRegistry();
  const layers = [await busyboxLayer(), tar([{ name: "top", content: "top\n" }])];
  const kinds = [
    {},
    { docker: true },
    { index: true },
    { index: true, docker: true },
    { compression: "zstd" },
    { compression: "none" },
  ] as const;
  for (const [number, kind] of kinds.entries()) {
    registry.publish("library/box", `t${number}`, layers, kind);
    const stream = await pull(engine, `${registry.host}/library/box:t${number}`);
    expect([kind, stream.includes('"error"')]).toEqual([kind, false]);
    const box = await engine.run(["cat", "/top"], { Image: `${registry.host}/library/box:t${number}` });
    expect([kind, await box.wait()]).toEqual([kind, 0]);
  }
});

test("by digest, and again: the second pull downloads nothing", async () => {
  await using engine = await startEngine({ image: false });
  using registry = new LocalRegistry();
  const digest = registry.publish("box", "1", [await busyboxLayer()]);
  const first = await pull(engine, `${registry.host}/box:1`);
  expect(first).toContain(`Digest: ${digest}`);
  expect(first).toContain(`Status: Downloaded newer image for ${registry.host}/box:1`);
  registry.requests.length = 0;
  expect(await pull(engine, `${registry.host}/box:1`)).toContain(
    `Status: Image is up to date for ${registry.host}/box:1`,
  );
  expect(registry.requests.filter((line) => line.includes("/blobs/"))).toEqual([]);
  await pull(engine, `${registry.host}/box@${digest}`);
  expect(await engine.wire.json("GET", `/images/${registry.host}/box@${digest}/json`)).toMatchObject({
    RepoDigests: [`${registry.host}/box@${digest}`],
  });
});

test("a download that breaks off is resumed where it stopped", async () => {
  await using engine = await startEngine({ image: false });
  using registry = new LocalRegistry();
  const noise = Buffer.alloc(3 << 20);
  for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
  registry.publish("box", "1", [await busyboxLayer(), tar([{ name: "noise", content: noise }])]);
  registry.breakAfter = 1 << 20;
  expect(await pull(engine, `${registry.host}/box:1`)).toContain("Status: Downloaded newer image");
  expect(registry.requests.filter((line) => /bytes=\d+-/.test(line)).length).toBeGreaterThan(0);
  const box = await engine.run(["wc", "-c", "/noise"], { Image: `${registry.host}/box:1` });
  await box.wait();
  expect((await box.logs()).stdout).toBe(`${noise.length} /noise\n`);
});

test("false bytes are refused, an unknown name is named, and neither leaves anything", async () => {
  await using engine = await startEngine({ image: false });
  using registry = new LocalRegistry();
  registry.publish("box", "1", [await busyboxLayer()]);
  await expect(pull(engine, `${registry.host}/absent:1`)).rejects.toMatchObject({ status: 404 });
  registry.falsify = true;
  expect(await pull(engine, `${registry.host}/box:1`)).toMatch(/"error":"[^"]*(digest|verif)/);
  await expect(engine.wire.json("GET", `/images/${registry.host}/box:1/json`)).rejects.toMatchObject({ status: 404 });
  expect(await engine.leftovers()).toEqual([]);
});
