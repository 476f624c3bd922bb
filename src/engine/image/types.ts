/** What the image service takes and gives, besides the wire types of the Engine API. */
import type { Digest } from "#oci/digest.ts";
import type { ImageConfig } from "#oci/image-config.ts";
import type { Manifest } from "#oci/manifest.ts";
import type { Platform } from "#oci/platform.ts";
import type { EventType } from "#api/types/event.ts";
import type { ProgressMessage } from "#api/types/image.ts";

/** An image of the local store. Immutable: a tag change makes a new object. */
export interface Image {
  /** Digest of the config blob. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** diffIDs, bottom first: what `Snapshots.prepare` takes. */
  readonly chain: readonly Digest[];
  /** Familiar form, sorted: `busybox:latest`. */
  readonly repoTags: readonly string[];
  /** Familiar form, sorted: `busybox@sha256:…`. */
  readonly repoDigests: readonly string[];
  /** The image it was committed or built from on this host. */
  readonly parent?: Digest;
  /** Names the blob of each layer. As it was pulled or loaded; made here for images made here. */
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  /** Bytes. */
  readonly manifestSize: number;
  /** Unix milliseconds of the last tag; undefined if never tagged here. */
  readonly lastTagged?: number;
}

/** Receives each progress record as it happens; must not throw. */
export type Progress = (message: ProgressMessage) => void;

/** Announces what happened: `emit("image", "pull", "busybox:latest", {name: "busybox"})`. */
export type Emit = (type: EventType, action: string, id: string, attributes: Record<string, string>) => void;

/** A container that keeps an image from being removed. */
export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

/** Which containers (stopped ones too) were made from an image. */
export type ImageUsers = (image: Digest) => readonly ImageUser[];

/** A layer whose blob is in the content store and which is unpacked. */
export interface NewLayer {
  readonly diffId: Digest;
  readonly blob: { readonly digest: Digest; readonly size: number; readonly mediaType: string };
}

/** What a new image consists of when it is made from a parent and at most one layer: commit, and the builder's steps. */
export interface CreateOptions {
  readonly parent?: Image;
  /** Absent: only the config differs (an "empty layer" in the history). */
  readonly layer?: NewLayer;
  /** The run configuration; absent takes the parent's. */
  readonly config?: ImageConfig["config"];
  /** Dockerfile instructions applied on top. */
  readonly changes?: readonly string[];
  readonly author?: string;
  readonly comment?: string;
  readonly createdBy?: string;
  /** RFC 3339; default now. */
  readonly created?: string;
  readonly platform?: Platform;
  /** `repository[:tag]` to point at the new image. */
  readonly reference?: string;
}
