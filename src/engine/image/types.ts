/** What the image service takes and gives, besides the wire types of the Engine API. */
import type { Digest } from "#oci/digest.ts";
import type { ImageConfig } from "#oci/image-config.ts";
import type { Platform } from "#oci/platform.ts";
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
  /** Bytes of all unpacked layers. */
  readonly size: number;
  /** Unix milliseconds of the last tag; undefined if never tagged here. */
  readonly lastTagged?: number;
}

/** Receives each progress record as it happens; must not throw. */
export type Progress = (message: ProgressMessage) => void;

/** Announces what happened: `emit("image", "pull", "busybox:latest", {name: "busybox"})`. */
export type Emit = (type: string, action: string, id: string, attributes: Record<string, string>) => void;

/** A container that keeps an image from being removed. */
export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
  /** The image as the user named it when the container was created. */
  readonly imageName: string;
}

/** Which containers (stopped ones too) were made from an image. */
export type ImageUsers = (image: Digest) => readonly ImageUser[];

/** Docker's filter argument: name → values; what is unknown is refused by the operation. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ListOptions {
  /** Intermediate images (parents without a tag) too. */
  readonly all?: boolean;
  readonly filters?: Filters;
  readonly sharedSize?: boolean;
}

export interface RemoveOptions {
  readonly force?: boolean;
  /** Keep untagged parents. */
  readonly noPrune?: boolean;
}

export interface PullOptions {
  /** Overrides the tag of the name; a digest (`sha256:…`) is allowed, as in the API. */
  readonly tag?: string;
  readonly platform?: Platform;
}

export interface LoadOptions {
  /** Leave out per-layer progress. */
  readonly quiet?: boolean;
  readonly platform?: Platform;
}

export interface ImportOptions {
  /** Repository, possibly with a tag; absent leaves the image untagged. */
  readonly repository?: string;
  readonly tag?: string;
  readonly message?: string;
  /** Dockerfile instructions, as of `--change`. */
  readonly changes?: readonly string[];
  readonly platform?: Platform;
}

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
  readonly platform?: Platform;
  /** `repository[:tag]` to point at the new image. */
  readonly reference?: string;
}

export interface BootstrapOptions {
  /** Base URL of a distribution mirror, as in a sources.list; absent takes what the host's apt uses. */
  readonly mirror?: string;
}
