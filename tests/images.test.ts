/** Images in and out: every archive form that Docker and the OCI write, and back without a loss. */
import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { startEngine } from "./harness/engine.ts";
import { busyboxArchive, busyboxLayer, dockerArchive, sha256, testImage } from "./harness/image.ts";
import { output } from "./harness/process.ts";
import { tar } from "./harness/tar.ts";

interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RootFS: { Layers: string[] };
  Config: { Cmd: string[] | null; Env: string[] | null };
}

test("save gives what load took: the same id from another engine, run and all", async () => {
  await using engine = await startEngine();
  const before = await engine.wire.json<ImageInspect>("GET", `/images/${testImage}/json`);
  const archive = Buffer.from(await engine.wire.bytes("GET", `/images/get?names=${testImage}`));
  await engine.wire.bytes("DELETE", `/images/${testImage}`);
  await expect(engine.wire.json("GET", `/images/${testImage}/json`)).rejects.toMatchObject({ status: 404 });
  expect(await engine.load(archive)).toContain(`Loaded image: ${testImage}`);
  const after = await engine.wire.json<ImageInspect>("GET", `/images/${testImage}/json`);
  expect(after).toMatchObject({ Id: before.Id, RepoTags: before.RepoTags, RootFS: before.RootFS });
  const box = await engine.run(["cat", "/data/seed"]);
  expect(await box.wait()).toBe(0);
});

test("gzip and zstd archives load, and so do compressed layers inside", async () => {
  await using engine = await startEngine({ image: false });
  const layer = await busyboxLayer();
  const diffId = `sha256:${sha256(layer)}`;
  await engine.load(new Uint8Array(Bun.gzipSync(dockerArchive({ tags: ["outer:gzip"], layers: [layer] }))));
  await engine.load(new Uint8Array(Bun.zstdCompressSync(dockerArchive({ tags: ["outer:zstd"], layers: [layer] }))));
  await engine.load(dockerArchive({ tags: ["inner:gzip"], layers: [Bun.gzipSync(layer)], diffIds: [diffId] }));
  await engine.load(dockerArchive({ tags: ["inner:zstd"], layers: [Bun.zstdCompressSync(layer)], diffIds: [diffId] }));
  for (const tag of ["outer:gzip", "outer:zstd", "inner:gzip", "inner:zstd"]) {
    const box = await engine.run(["true"], { Image: tag });
    expect([tag, await box.wait()]).toEqual([tag, 0]);
  }
});

test("an OCI layout loads under the name that its index gives", async () => {
  await using engine = await startEngine({ image: false });
  const layer = await busyboxLayer();
  const blobs: { name: string; content: Uint8Array }[] = [];
  const store = (content: Uint8Array, mediaType: string) => {
    const hex = sha256(content);
    blobs.push({ name: `blobs/sha256/${hex}`, content });
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const config = store(
    json({
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["sh"] },
      rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
    }),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifest = store(
    json({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config,
      layers: [store(Bun.gzipSync(layer), "application/vnd.oci.image.layer.v1.tar+gzip")],
    }),
    "application/vnd.oci.image.manifest.v1+json",
  );
  const annotations = {
    "io.containerd.image.name": "docker.io/library/from-oci:1",
    "org.opencontainers.image.ref.name": "1",
  };
  await engine.load(
    tar([
      { name: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
      { name: "index.json", content: json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }) },
      ...blobs,
    ]),
  );
  const box = await engine.run(["/bin/busybox", "true"], { Image: "from-oci:1" });
  expect(await box.wait()).toBe(0);
});

test("tags share an image, which goes with its last one; a used image stays", async () => {
  await using engine = await startEngine();
  await engine.wire.bytes("POST", `/images/${testImage}/tag?repo=localhost:5000/other&tag=v1`);
  const { RepoTags } = await engine.wire.json<ImageInspect>("GET", "/images/localhost:5000/other:v1/json");
  expect(RepoTags.toSorted()).toEqual([testImage, "localhost:5000/other:v1"]);
  const untagged = await engine.wire.json<object[]>("DELETE", `/images/${testImage}`);
  expect(untagged).toEqual([{ Untagged: testImage }]);
  const box = await engine.create(["true"], { Image: "localhost:5000/other:v1" });
  await expect(engine.wire.bytes("DELETE", "/images/localhost:5000/other:v1")).rejects.toMatchObject({ status: 409 });
  await box.remove();
  const deleted = await engine.wire.json<object[]>("DELETE", "/images/localhost:5000/other:v1");
  expect(deleted[0]).toEqual({ Untagged: "localhost:5000/other:v1" });
  expect(deleted.length).toBeGreaterThan(1);
  expect(await engine.leftovers()).toEqual([]);
});

test("list, history and inspect", async () => {
  await using engine = await startEngine();
  const [image] = await engine.wire.json<{ Id: string; RepoTags: string[]; Size: number; Containers: number }[]>(
    "GET",
    "/images/json",
  );
  expect(image).toMatchObject({ RepoTags: [testImage] });
  expect(image?.Size).toBeGreaterThan(500_000);
  const history = await engine.wire.json<{ CreatedBy: string; Tags: string[] | null }[]>(
    "GET",
    `/images/${testImage}/history`,
  );
  expect(history).toMatchObject([{ CreatedBy: "layer 0", Tags: [testImage] }]);
  expect(await engine.wire.json("GET", `/images/${testImage}/json`)).toMatchObject({
    Os: "linux",
    Config: { Cmd: ["sh"] },
  });
  const none = await engine.wire.json<object[]>(
    "GET",
    `/images/json?filters=${encodeURIComponent('{"reference":["absent*"]}')}`,
  );
  expect(none).toEqual([]);
});

test("import makes an image of a plain tar, with changes", async () => {
  await using engine = await startEngine({ image: false });
  const layer = await busyboxLayer();
  await engine.wire.bytes(
    "POST",
    `/images/create?fromSrc=-&repo=imported&tag=1&changes=${encodeURIComponent('CMD ["echo","hi"]')}`,
    { body: layer },
  );
  const box = await engine.create([], { Image: "imported:1", Cmd: null });
  await box.start();
  await box.wait();
  expect((await box.logs()).stdout).toBe("hi\n");
});

test("commit keeps changes, deletions and metadata, and runs again", async () => {
  await using engine = await startEngine();
  const box = await engine.run([
    "sh",
    "-c",
    "echo new > /root/new; rm /data/seed; rm -r /var/www; mkdir /var/www; chmod 700 /home/app",
  ]);
  await box.wait();
  await engine.wire.bytes(
    "POST",
    `/commit?container=${box.id}&repo=committed&tag=2&changes=${encodeURIComponent("ENV COLOUR=blue")}`,
  );
  const again = await engine.run(["sh", "-c", "cat /root/new; ls /data /var/www; stat -c %a /home/app; echo $COLOUR"], {
    Image: "committed:2",
  });
  expect(await again.wait()).toBe(0);
  expect((await again.logs()).stdout).toBe("new\n/data:\n\n/var/www:\n700\nblue\n");
  const archive = Buffer.from(await engine.wire.bytes("GET", "/images/get?names=committed:2"));
  await again.remove();
  await engine.wire.bytes("DELETE", "/images/committed:2");
  await engine.load(archive);
  const loaded = await engine.run(["test", "!", "-e", "/data/seed"], { Image: "committed:2" });
  expect(await loaded.wait()).toBe(0);
});

test("everything that tar can carry comes through: xattrs, capabilities, devices, hard links, sparse files, long names", async () => {
  await using engine = await startEngine();
  const folder = `${engine.execRoot}/tree`;
  const long = `${"d".repeat(120)}/${"n".repeat(200)}`;
  await mkdir(`${folder}/${"d".repeat(120)}`, { recursive: true });
  await writeFile(`${folder}/${long}`, "long\n");
  await writeFile(`${folder}/ünï`, "unicode\n");
  await output([
    "sh",
    "-ec",
    `cd ${folder}; echo one > a; ln a b; cp /bin/true setuid; chmod 4755 setuid; mkfifo pipe; mknod null c 1 3; truncate -s 10M sparse; echo end >> sparse`,
  ]);
  const xattrs = Bun.which("setfattr") !== null;
  if (xattrs) await output(["setfattr", "-n", "user.berth", "-v", "kept", `${folder}/a`]);
  for (const format of ["posix", "gnu"]) {
    const archive = await Bun.spawn([
      "tar",
      "-C",
      folder,
      `--format=${format}`,
      "--sparse",
      ...(format === "posix" ? ["--xattrs", "--xattrs-include=*"] : []),
      "-cf",
      "-",
      ".",
    ]).stdout.bytes();
    await engine.load(dockerArchive({ tags: [`tree:${format}`], layers: [await busyboxLayer(), archive] }));
    const box = await engine.run(
      [
        "sh",
        "-c",
        `cat '/${long}' /ünï; stat -c '%h' /a; cmp /a /b && stat -c '%a' /setuid; stat -c '%F' /pipe /null; stat -c '%s' /sparse; [ $(stat -c %b /sparse) -lt 1000 ] && echo sparse`,
      ],
      { Image: `tree:${format}` },
    );
    await box.wait();
    expect((await box.logs()).stdout).toBe("long\nunicode\n2\n4755\nfifo\ncharacter special file\n10485764\nsparse\n");
  }
});

test("whiteouts and opaque folders hide what lies below", async () => {
  await using engine = await startEngine({ image: false });
  const layers = [
    await busyboxLayer(),
    tar([
      { name: "keep/", type: "directory" },
      { name: "keep/a", content: "a" },
      { name: "keep/b", content: "b" },
      { name: "opaque/", type: "directory" },
      { name: "opaque/old", content: "old" },
    ]),
    tar([
      { name: "keep/.wh.a", content: "" },
      { name: "opaque/", type: "directory" },
      { name: "opaque/.wh..wh..opq", content: "" },
      { name: "opaque/new", content: "new" },
    ]),
  ];
  await engine.load(dockerArchive({ tags: ["white:1"], layers }));
  const box = await engine.run(["sh", "-c", "ls -A /keep /opaque"], { Image: "white:1" });
  await box.wait();
  expect((await box.logs()).stdout).toBe("/keep:\nb\n\n/opaque:\nnew\n");
});

test("a layer that two images share is stored once and stays while one of them is there", async () => {
  await using engine = await startEngine();
  const layer = await busyboxLayer();
  await engine.load(dockerArchive({ tags: ["derived:1"], layers: [layer, tar([{ name: "extra", content: "x" }])] }));
  await engine.wire.bytes("DELETE", `/images/${testImage}`);
  const box = await engine.run(["cat", "/extra"], { Image: "derived:1" });
  expect(await box.wait()).toBe(0);
  await engine.load(await busyboxArchive());
});
