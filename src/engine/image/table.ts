/** The rows of images, tags and repo digests; the only place that writes them. */
import type { Database } from "bun:sqlite";
import { type Digest, digestOf } from "#oci/digest.ts";
import { parseImageConfig } from "#oci/image-config.ts";
import { parseManifest } from "#oci/manifest.ts";
import { familiarReference, parseReference, type Reference, repositoryName } from "#oci/reference.ts";
import type { Schema } from "#store/database.ts";
import { EngineError } from "#lib/errors.ts";
import type { Image } from "./types.ts";

/** For `openDatabase`. Config and manifest are kept as the bytes that their digests name. */
export const imageSchema: Schema = {
  name: "images",
  versions: [
    `CREATE TABLE image (
       id TEXT PRIMARY KEY, config BLOB NOT NULL, manifest BLOB NOT NULL, parent TEXT, last_tagged INTEGER
     ) STRICT;
     CREATE TABLE image_tag (
       repository TEXT NOT NULL, tag TEXT NOT NULL, image TEXT NOT NULL REFERENCES image (id),
       PRIMARY KEY (repository, tag)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX image_tag_image ON image_tag (image);
     CREATE TABLE image_digest (
       repository TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL REFERENCES image (id),
       PRIMARY KEY (repository, digest)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX image_digest_image ON image_digest (image);`,
  ],
};

interface ImageRow {
  readonly id: Digest;
  readonly config: Uint8Array;
  readonly manifest: Uint8Array;
  readonly parent: Digest | null;
  readonly last_tagged: number | null;
}

export interface NewImage {
  readonly config: Uint8Array;
  readonly manifest: Uint8Array;
  readonly parent?: Digest;
}

/** Every write is one transaction. Images read are parsed once and remembered until they change. */
export class ImageTable {
  readonly #db: Database;
  readonly #cache = new Map<Digest, Image>();

  constructor(db: Database) {
    this.#db = db;
  }

  get(id: Digest): Image | undefined {
    const known = this.#cache.get(id);
    if (known !== undefined) return known;
    const row = this.#db.query<ImageRow, [string]>("SELECT * FROM image WHERE id = ?").get(id);
    if (row === null) return undefined;
    const image = this.#parse(row);
    this.#cache.set(id, image);
    return image;
  }

  /** The stored bytes of config and manifest. Throws "not-found". */
  documents(id: Digest): { config: Uint8Array; manifest: Uint8Array } {
    const row = this.#db
      .query<Pick<ImageRow, "config" | "manifest">, [string]>("SELECT config, manifest FROM image WHERE id = ?")
      .get(id);
    if (row === null) throw new EngineError("not-found", `No such image: ${id}`);
    return row;
  }

  /** In no particular order. */
  all(): Image[] {
    const ids = this.#db.query<{ id: Digest }, []>("SELECT id FROM image").all();
    return ids.flatMap(({ id }) => this.get(id) ?? []);
  }

  /** Images whose hex digest begins with `prefix`, at most two. */
  byPrefix(prefix: string): Digest[] {
    return this.#db
      .query<{ id: Digest }, [string, string]>("SELECT id FROM image WHERE id >= ? AND id < ? LIMIT 2")
      .all(`sha256:${prefix}`, `sha256:${prefix}g`)
      .map(({ id }) => id);
  }

  /** By digest where the reference has one (its tag is ignored then, as Docker does), else by tag. */
  byReference(reference: Reference): Digest | undefined {
    const repository = repositoryName(reference);
    const row =
      reference.digest === undefined
        ? this.#db
            .query<{ image: Digest }, [string, string]>("SELECT image FROM image_tag WHERE repository = ? AND tag = ?")
            .get(repository, reference.tag ?? "latest")
        : this.#db
            .query<{ image: Digest }, [string, string]>(
              "SELECT image FROM image_digest WHERE repository = ? AND digest = ?",
            )
            .get(repository, reference.digest);
    return row?.image;
  }

  /** All tags of a repository, sorted. */
  tagsOf(repository: string): Reference[] {
    return this.#db
      .query<{ tag: string }, [string]>("SELECT tag FROM image_tag WHERE repository = ? ORDER BY tag")
      .all(repository)
      .map(({ tag }) => parseReference(`${repository}:${tag}`));
  }

  /** Tags, then digests, of an image, each sorted. */
  references(id: Digest): Reference[] {
    const tags = this.#db
      .query<{ name: string }, [string]>(
        "SELECT repository || ':' || tag AS name FROM image_tag WHERE image = ? ORDER BY name",
      )
      .all(id);
    const digests = this.#db
      .query<{ name: string }, [string]>(
        "SELECT repository || '@' || digest AS name FROM image_digest WHERE image = ? ORDER BY name",
      )
      .all(id);
    return [...tags, ...digests].map(({ name }) => parseReference(name));
  }

  /** Images that name `id` as their parent. */
  children(id: Digest): Digest[] {
    return this.#db
      .query<{ id: Digest }, [string]>("SELECT id FROM image WHERE parent = ?")
      .all(id)
      .map((row) => row.id);
  }

  /** Stores the image if it is new, and points `references` at it; returns it and the images that lost a tag by that. */
  put(image: NewImage, references: readonly Reference[]): { image: Image; displaced: Map<Reference, Digest> } {
    const id = digestOf(image.config);
    const displaced = new Map<Reference, Digest>();
    this.#db
      .transaction(() => {
        this.#db
          .query("INSERT INTO image (id, config, manifest, parent) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING")
          .run(id, image.config, image.manifest, image.parent ?? null);
        for (const reference of references) {
          const before = this.#point(reference, id);
          if (before !== undefined && before !== id) displaced.set(reference, before);
        }
      })
      .immediate();
    this.#cache.clear();
    const stored = this.get(id);
    if (stored === undefined) throw new EngineError("internal", `image ${id} vanished while it was stored`);
    return { image: stored, displaced };
  }

  /** Points a tag or repo digest at an existing image. */
  point(reference: Reference, id: Digest): void {
    this.#db.transaction(() => this.#point(reference, id)).immediate();
    this.#cache.clear();
  }

  /** False where there was no such reference. */
  unpoint(reference: Reference): boolean {
    const repository = repositoryName(reference);
    const { changes } =
      reference.digest === undefined
        ? this.#db
            .query("DELETE FROM image_tag WHERE repository = ? AND tag = ?")
            .run(repository, reference.tag ?? "latest")
        : this.#db
            .query("DELETE FROM image_digest WHERE repository = ? AND digest = ?")
            .run(repository, reference.digest);
    this.#cache.clear();
    return changes > 0;
  }

  /** Removes the image and whatever points at it. */
  remove(id: Digest): void {
    this.#db
      .transaction(() => {
        this.#db.query("DELETE FROM image_tag WHERE image = ?").run(id);
        this.#db.query("DELETE FROM image_digest WHERE image = ?").run(id);
        this.#db.query("DELETE FROM image WHERE id = ?").run(id);
      })
      .immediate();
    this.#cache.clear();
  }

  #point(reference: Reference, id: Digest): Digest | undefined {
    const before = this.byReference(reference);
    const repository = repositoryName(reference);
    if (reference.digest === undefined) {
      this.#db
        .query("INSERT OR REPLACE INTO image_tag (repository, tag, image) VALUES (?, ?, ?)")
        .run(repository, reference.tag ?? "latest", id);
      this.#db.query("UPDATE image SET last_tagged = ? WHERE id = ?").run(Date.now(), id);
    } else {
      this.#db
        .query("INSERT OR REPLACE INTO image_digest (repository, digest, image) VALUES (?, ?, ?)")
        .run(repository, reference.digest, id);
    }
    return before;
  }

  #parse(row: ImageRow): Image {
    const config = parseImageConfig(row.config);
    const manifest = parseManifest(row.manifest);
    if (manifest.kind !== "manifest") throw new EngineError("internal", `image ${row.id} is stored with an index`);
    const references = this.references(row.id);
    return {
      id: row.id,
      config,
      manifest,
      manifestDigest: digestOf(row.manifest),
      manifestSize: row.manifest.length,
      chain: config.rootfs.diff_ids,
      repoTags: references.filter(({ digest }) => digest === undefined).map(familiarReference),
      repoDigests: references.filter(({ digest }) => digest !== undefined).map(familiarReference),
      ...(row.parent !== null && { parent: row.parent }),
      ...(row.last_tagged !== null && { lastTagged: row.last_tagged }),
    };
  }
}
