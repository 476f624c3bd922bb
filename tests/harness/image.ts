/** Makes the images that tests run, as docker-archives, from the host's static busybox: no registry, no bootstrap. */
import { output } from "./process.ts";
import { tar, type TarEntry } from "./tar.ts";

/** What `startEngine` loads. */
export const testImage = "berth-test:latest";

export function sha256(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

export interface ArchiveOptions {
  tags: string[];
  /** Uncompressed or compressed tars, bottom first. */
  layers: Uint8Array[];
  /** diffIDs where they are not simply the layers' own digests. */
  diffIds?: string[];
  /** The `config` object of the image configuration. */
  config?: object;
}

/** What `docker save` writes: manifest.json, one configuration, one file for each layer. */
export function dockerArchive({ tags, layers, diffIds, config }: ArchiveOptions): Buffer<ArrayBuffer> {
  const ids = diffIds ?? layers.map((layer) => `sha256:${sha256(layer)}`);
  const created = "2024-01-01T00:00:00Z";
  const configuration = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    created,
    config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["sh"], ...config },
    rootfs: { type: "layers", diff_ids: ids },
    history: ids.map((_, index) => ({ created, created_by: `layer ${index}` })),
  });
  const name = `${sha256(Buffer.from(configuration))}.json`;
  const files = layers.map((_, index) => `layer${index}/layer.tar`);
  return tar([
    ...layers.flatMap((content, index): TarEntry[] => [
      { name: `layer${index}/`, type: "directory" },
      { name: files[index] ?? "", content },
    ]),
    { name, content: configuration },
    { name: "manifest.json", content: JSON.stringify([{ Config: name, RepoTags: tags, Layers: files }]) },
  ]);
}

/** The root file system: busybox with all its applets, a user `app` (1000) in group `staff` (2000), a filled /data. */
export async function busyboxLayer(): Promise<Buffer<ArrayBuffer>> {
  const program = Bun.which("busybox") ?? "/bin/busybox";
  const applets = (await output([program, "--list"])).split("\n").filter((name) => name !== "busybox");
  const folders = ["bin", "dev", "etc", "home", "home/app", "proc", "root", "run", "sys", "var", "var/www", "data"];
  return tar([
    ...folders.map((name): TarEntry => ({ name: `${name}/`, type: "directory" })),
    { name: "tmp/", type: "directory", mode: 0o1777 },
    { name: "bin/busybox", content: await Bun.file(program).bytes(), mode: 0o755 },
    ...applets.map((name): TarEntry => ({ name: `bin/${name}`, type: "symlink", link: "busybox", mode: 0o777 })),
    { name: "bin/not-executable", content: "#!/bin/sh\n" },
    {
      name: "etc/passwd",
      content:
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    },
    { name: "etc/group", content: "root:x:0:\napp:x:1000:\nstaff:x:2000:app\nnogroup:x:65534:\n" },
    { name: "data/seed", content: "from the image\n", uid: 1000, gid: 2000, mode: 0o640 },
    { name: "var/www/index.html", content: "hello from the container\n" },
  ]);
}

export async function busyboxArchive(tag = testImage): Promise<Buffer<ArrayBuffer>> {
  return dockerArchive({ tags: [tag], layers: [await busyboxLayer()] });
}
