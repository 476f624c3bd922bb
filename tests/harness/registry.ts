/** A registry on 127.0.0.1 (OCI distribution-spec, the pull half), with switches for the faults that clients must survive. */
import { sha256 } from "./image.ts";

interface StoredBlob {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
}

export interface PublishOptions {
  /** Wraps the manifest into an index that names this platform, and one for another processor. */
  index?: boolean;
  /** gzip unless said otherwise. */
  compression?: "gzip" | "zstd" | "none";
  /** Docker's media types instead of OCI's. */
  docker?: boolean;
}

export class LocalRegistry implements Disposable {
  readonly #server: Bun.Server<undefined>;
  readonly #blobs = new Map<string, StoredBlob>();
  readonly #tags = new Map<string, string>();
  /** `GET path` of every request, with its range. */
  readonly requests: string[] = [];
  /** Blob downloads break off after this many bytes, once for each. */
  breakAfter: number | undefined;
  readonly #broken = new Set<string>();
  /** Bytes of blobs are falsified. */
  falsify = false;

  constructor() {
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) });
  }

  get host(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  /** The manifest's digest (the index's, with `index`). `layers` are tars, bottom first. */
  publish(
    repository: string,
    tag: string,
    layers: readonly Uint8Array<ArrayBuffer>[],
    options: PublishOptions = {},
  ): string {
    const { compression = "gzip", docker = false } = options;
    const type = docker ? "application/vnd.docker" : "application/vnd.oci";
    const suffix = { gzip: docker ? ".gzip" : "+gzip", zstd: "+zstd", none: "" }[compression];
    const layerType = docker ? `${type}.image.rootfs.diff.tar${suffix}` : `${type}.image.layer.v1.tar${suffix}`;
    const compress = {
      gzip: Bun.gzipSync,
      zstd: Bun.zstdCompressSync,
      none: (bytes: Uint8Array<ArrayBuffer>) => bytes,
    }[compression];
    const configuration = {
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["sh"] },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    };
    const config = this.#store(
      Buffer.from(JSON.stringify(configuration)),
      docker ? `${type}.container.image.v1+json` : `${type}.image.config.v1+json`,
    );
    const manifestType = docker ? `${type}.distribution.manifest.v2+json` : `${type}.image.manifest.v1+json`;
    const manifest = this.#store(
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: manifestType,
          config,
          layers: layers.map((layer) => this.#store(new Uint8Array(compress(layer)), layerType)),
        }),
      ),
      manifestType,
    );
    const top = options.index === true ? this.#index(manifest, docker) : manifest;
    this.#tags.set(`${repository}:${tag}`, top.digest);
    return top.digest;
  }

  #index(manifest: { digest: string }, docker: boolean) {
    const mediaType = docker
      ? "application/vnd.docker.distribution.manifest.list.v2+json"
      : "application/vnd.oci.image.index.v1+json";
    const own = process.arch === "arm64" ? "arm64" : "amd64";
    const foreign = this.#store(Buffer.from("{}"), "application/vnd.oci.image.manifest.v1+json");
    const manifests = [
      { ...foreign, platform: { os: "linux", architecture: own === "arm64" ? "amd64" : "arm64" } },
      { ...manifest, platform: { os: "linux", architecture: own } },
    ];
    return this.#store(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })), mediaType);
  }

  #store(bytes: Uint8Array<ArrayBuffer>, mediaType: string): { digest: string; size: number; mediaType: string } {
    const digest = `sha256:${sha256(bytes)}`;
    this.#blobs.set(digest, { bytes, mediaType });
    return { digest, size: bytes.length, mediaType };
  }

  #answer(request: Request): Response {
    const { pathname } = new URL(request.url);
    const range = request.headers.get("range");
    this.requests.push(`${request.method} ${pathname}${range === null ? "" : ` ${range}`}`);
    if (pathname === "/v2/") return Response.json({});
    const match = /^\/v2\/(?<name>.+)\/(?<kind>manifests|blobs)\/(?<reference>[^/]+)$/.exec(pathname);
    const { name = "", kind = "", reference = "" } = match?.groups ?? {};
    const digest = kind === "manifests" ? (this.#tags.get(`${name}:${reference}`) ?? reference) : reference;
    const blob = this.#blobs.get(digest);
    if (blob === undefined) {
      const code = kind === "manifests" ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN";
      return Response.json({ errors: [{ code, message: `${kind} unknown` }] }, { status: 404 });
    }
    const headers = { "Content-Type": blob.mediaType, "Docker-Content-Digest": digest, "Accept-Ranges": "bytes" };
    if (request.method === "HEAD") {
      return new Response(null, { headers: { ...headers, "Content-Length": String(blob.bytes.length) } });
    }
    if (kind === "manifests") return new Response(blob.bytes, { headers });
    return this.#blob(digest, blob, range, headers);
  }

  #blob(digest: string, blob: StoredBlob, range: string | null, headers: Record<string, string>): Response {
    const from = Number(/^bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    const status = range === null ? 200 : 206;
    const ranged =
      range === null ? {} : { "Content-Range": `bytes ${from}-${blob.bytes.length - 1}/${blob.bytes.length}` };
    let bytes = blob.bytes.subarray(from);
    if (this.falsify) bytes = bytes.map((byte) => byte ^ 1);
    const limit = this.breakAfter;
    if (limit !== undefined && bytes.length > limit && !this.#broken.has(digest)) {
      this.#broken.add(digest);
      const part = bytes.slice(0, limit);
      const broken = new ReadableStream({
        async start(controller) {
          controller.enqueue(part);
          await Bun.sleep(20);
          controller.error(new Error("broken off as asked"));
        },
      });
      return new Response(broken, { status, headers: { ...headers, ...ranged } });
    }
    return new Response(bytes, { status, headers: { ...headers, ...ranged } });
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}
