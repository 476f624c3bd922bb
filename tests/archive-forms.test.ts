/** Image archives as other programs and other times write them: Docker's first format, shared layers as links, indexes. */
import { expect, test } from "bun:test";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxLayer, sha256 } from "./harness/image.ts";
import { tar, type TarEntry } from "./harness/tar.ts";

const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const other = architecture === "arm64" ? "amd64" : "arm64";

function config(layers: readonly Uint8Array[], says: string): string {
  return JSON.stringify({
    architecture,
    os: "linux",
    config: { Cmd: ["sh", "-c", `echo ${says}`], Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    history: layers.map(() => ({ created_by: "test" })),
  });
}

async function output(engine: Engine, image: string): Promise<string> {
  const box = await engine.create([], { Image: image, Cmd: null });
  await box.start();
  await box.wait();
  return (await box.logs()).stdout;
}

test("the format of before Docker 1.10: repositories, and a folder for each layer", async () => {
  await using engine = await startEngine({ image: false });
  const [lower, upper] = ["1".repeat(64), "2".repeat(64)];
  const common = { os: "linux", architecture, created: "2015-01-01T00:00:00Z" };
  const layers = [await busyboxLayer(), tar([{ name: "extra", content: "x" }])];
  const run = { Cmd: ["sh", "-c", "echo legacy; cat /extra"], Env: ["PATH=/bin"] };
  await engine.load(
    tar([
      { name: `${lower}/json`, content: JSON.stringify({ id: lower, ...common }) },
      { name: `${lower}/layer.tar`, content: layers[0] ?? "" },
      { name: `${upper}/json`, content: JSON.stringify({ id: upper, parent: lower, ...common, config: run }) },
      { name: `${upper}/layer.tar`, content: layers[1] ?? "" },
      { name: "repositories", content: JSON.stringify({ "old/app": { v0: lower, v1: upper } }) },
    ]),
  );
  expect(await output(engine, "old/app:v1")).toBe("legacy\nx");
  const base = await engine.wire.json<{ RootFS: { Layers: string[] } }>("GET", "/images/old/app:v0/json");
  expect(base.RootFS.Layers).toEqual([`sha256:${sha256(layers[0] ?? new Uint8Array())}`]);
  expect(await engine.leftovers()).toEqual([]);
});

for (const type of ["symlink", "hardlink"] as const) {
  test(`several images, a shared layer being a ${type}`, async () => {
    await using engine = await startEngine({ image: false });
    const [base, extra] = [await busyboxLayer(), tar([{ name: "extra", content: "x" }])];
    const [one, two] = [config([base], "one"), config([base, extra], "two")];
    const link: TarEntry = { name: "b/layer.tar", type, link: type === "symlink" ? "../a/layer.tar" : "a/layer.tar" };
    const manifest = [
      { Config: "one.json", RepoTags: ["forms:1"], Layers: ["a/layer.tar"] },
      { Config: "two.json", RepoTags: ["forms:2", "forms:latest"], Layers: ["b/layer.tar", "c/layer.tar"] },
    ];
    const said = await engine.load(
      tar([
        { name: "a/layer.tar", content: base },
        link,
        { name: "c/layer.tar", content: extra },
        { name: "one.json", content: one },
        { name: "two.json", content: two },
        { name: "manifest.json", content: JSON.stringify(manifest) },
      ]),
    );
    for (const name of ["forms:1", "forms:2", "forms:latest"]) expect(said).toContain(`Loaded image: ${name}`);
    expect(await output(engine, "forms:1")).toBe("one\n");
    expect(await output(engine, "forms")).toBe("two\n");
    expect(await engine.leftovers()).toEqual([]);
  });
}

test("an index of several platforms, of which the archive has one, beside an attestation", async () => {
  await using engine = await startEngine({ image: false });
  const base = await busyboxLayer();
  const files: TarEntry[] = [{ name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' }];
  const blob = (content: string | Uint8Array) => {
    const bytes = Buffer.from(content);
    files.push({ name: `blobs/sha256/${sha256(bytes)}`, content: bytes });
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  };
  const oci = "application/vnd.oci.image";
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: { mediaType: `${oci}.config.v1+json`, ...blob(config([base], "multi")) },
    layers: [{ mediaType: `${oci}.layer.v1.tar`, ...blob(base) }],
  });
  const absent = (letter: string) => ({
    mediaType: `${oci}.manifest.v1+json`,
    digest: `sha256:${letter.repeat(64)}`,
    size: 9,
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${oci}.index.v1+json`,
    manifests: [
      { ...absent("e"), platform: { os: "linux", architecture: other } },
      { mediaType: `${oci}.manifest.v1+json`, ...blob(manifest), platform: { os: "linux", architecture } },
      {
        ...absent("f"),
        platform: { os: "unknown", architecture: "unknown" },
        annotations: { "vnd.docker.reference.type": "attestation-manifest" },
      },
    ],
  });
  const annotations = {
    "io.containerd.image.name": "docker.io/library/multi:1",
    "org.opencontainers.image.ref.name": "1",
  };
  const top = { schemaVersion: 2, manifests: [{ mediaType: `${oci}.index.v1+json`, ...blob(index), annotations }] };
  files.push({ name: "index.json", content: JSON.stringify(top) });
  const archive = tar(files);
  expect(await engine.load(archive)).toContain("Loaded image: multi:1");
  expect(await output(engine, "multi:1")).toBe("multi\n");
  const load = (platform: string) => engine.berth(["load", "--platform", platform], { stdin: archive });
  expect((await load(`linux/${architecture}`)).code).toBe(0);
  expect((await load(`linux/${other}`)).stderr).toContain(`no matching manifest for linux/${other}`);
  expect(await engine.leftovers()).toEqual([]);
});
