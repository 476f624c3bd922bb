/** Wire objects of `/images` and `/auth` (Engine API v1.50). */
import type { HealthConfig, List, StringMap, StringSet } from "./container-config.ts";
import type { Platform } from "./system.ts";

/** An OCI descriptor with Docker's field order. */
export interface WireDescriptor {
  mediaType: string;
  digest: string;
  size: number;
  urls?: string[];
  annotations?: StringMap;
  platform?: Platform;
}

/** `.Config` of an image: the Docker image-spec's execution part. */
export interface ImageRunConfig {
  User?: string;
  ExposedPorts?: StringSet;
  Env?: List<string>;
  Entrypoint?: List<string>;
  Cmd?: List<string>;
  Volumes?: StringSet;
  WorkingDir?: string;
  Labels?: StringMap | null;
  StopSignal?: string;
  ArgsEscaped?: boolean;
  Healthcheck?: HealthConfig;
  OnBuild?: List<string>;
  Shell?: List<string>;
}

/** Answer of `GET /images/{name}/json`. Times are RFC 3339, sizes bytes. */
export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created?: string;
  Container?: string;
  DockerVersion: string;
  Author: string;
  Config: ImageRunConfig | null;
  Architecture: string;
  Variant?: string;
  Os: string;
  OsVersion?: string;
  Size: number;
  /** Equals Size; only sent below API 1.44. */
  VirtualSize?: number;
  GraphDriver: { Name: string; Data: StringMap | null };
  RootFS: { Type: string; Layers?: string[] };
  Metadata: { LastTagTime: string };
  Descriptor?: WireDescriptor;
  Manifests?: ImageManifestSummary[];
}

export interface ImageManifestSummary {
  ID: string;
  Descriptor: WireDescriptor;
  Available: boolean;
  Size: { Content: number; Total: number };
  Kind: "image" | "attestation" | "unknown";
  ImageData?: { Platform: Platform; Containers: string[]; Size: { Unpacked: number } };
}

/** An element of `GET /images/json`. `Created` is in Unix seconds; -1 means not computed. */
export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[];
  RepoDigests: string[];
  Created: number;
  Size: number;
  SharedSize: number;
  /** Equals Size; only sent below API 1.44. */
  VirtualSize?: number;
  Labels: StringMap | null;
  Containers: number;
  Descriptor?: WireDescriptor;
  Manifests?: ImageManifestSummary[];
}

/** An element of `GET /images/{name}/history`, newest first. `Created` is in Unix seconds. */
export interface HistoryItem {
  Id: string;
  Created: number;
  CreatedBy: string;
  Tags: List<string>;
  Size: number;
  Comment: string;
}

export interface ImageDeleteItem {
  Untagged?: string;
  Deleted?: string;
}
export interface ImagesPruneResponse {
  ImagesDeleted: List<ImageDeleteItem>;
  SpaceReclaimed: number;
}

/** One line of a progress stream (pull, push, load, import, bootstrap): Docker's JSONMessage. */
export interface ProgressMessage {
  stream?: string;
  status?: string;
  progressDetail?: { current?: number; total?: number; units?: string; hidecounts?: boolean };
  progress?: string;
  id?: string;
  aux?: unknown;
  errorDetail?: { code?: number; message: string };
  error?: string;
}

/** Decoded X-Registry-Auth. */
export interface AuthConfig {
  username?: string;
  password?: string;
  auth?: string;
  email?: string;
  serveraddress?: string;
  identitytoken?: string;
  registrytoken?: string;
}
export interface AuthResponse {
  Status: string;
  IdentityToken: string;
}

export interface SearchResult {
  star_count: number;
  is_official: boolean;
  name: string;
  is_automated: boolean;
  description: string;
}
export interface DistributionInspect {
  Descriptor: WireDescriptor;
  Platforms: Platform[];
}
