/** Knows every path below the data root and the exec root; nothing else builds one. */
import { join } from "node:path";

/**
 * `dataRoot` holds what must survive a reboot; `execRoot` what must not (sockets, bundles, mount
 * points, network namespaces). Both absolute. Making the folders is the business of their users.
 */
export class Layout {
  readonly dataRoot: string;
  readonly execRoot: string;

  constructor(dataRoot: string, execRoot: string) {
    this.dataRoot = dataRoot;
    this.execRoot = execRoot;
  }

  // data root
  get database(): string {
    return join(this.dataRoot, "berth.db");
  }
  /** Held by flock while a daemon uses the data root. */
  get lockFile(): string {
    return join(this.dataRoot, "lock");
  }
  /** The name by which this data root's engine is known (`/info`). */
  get engineId(): string {
    return join(this.dataRoot, "engine-id");
  }
  /** Finished blobs: `blobs/sha256/<hex>`. */
  get blobs(): string {
    return join(this.dataRoot, "blobs");
  }
  blob(algorithm: string, hex: string): string {
    return join(this.blobs, algorithm, hex);
  }
  /** As `lockFile`, for the exec root. */
  get execLockFile(): string {
    return join(this.execRoot, "lock");
  }
  /** Blobs being written; emptied of what no lease names at start-up. */
  get ingest(): string {
    return join(this.dataRoot, "ingest");
  }
  /** Unpacked layers, one folder per layer. */
  get layers(): string {
    return join(this.dataRoot, "layers");
  }
  layer(id: string): string {
    return join(this.layers, id);
  }
  /** Writable snapshots: `snapshots/<key>/{fs,work}`. */
  get snapshots(): string {
    return join(this.dataRoot, "snapshots");
  }
  snapshot(key: string): string {
    return join(this.snapshots, key);
  }
  /** Things to remove in the background; same file system as layers and snapshots, so a rename gets them here. */
  get trash(): string {
    return join(this.dataRoot, "trash");
  }
  get temporary(): string {
    return join(this.dataRoot, "tmp");
  }
  get volumes(): string {
    return join(this.dataRoot, "volumes");
  }
  /** What a container sees of the volume. */
  volumeData(name: string): string {
    return join(this.volumes, name, "_data");
  }
  /** A bounded volume's file system where the data root's own has no quota by folder; mounted at `volumeData`. */
  volumeImage(name: string): string {
    return join(this.volumes, name, "image.ext4");
  }
  get containers(): string {
    return join(this.dataRoot, "containers");
  }
  /** Log, hostname, hosts and resolv.conf of a container. */
  container(id: string): string {
    return join(this.containers, id);
  }
  containerLog(id: string): string {
    return join(this.container(id), "container.log");
  }

  // exec root
  get socket(): string {
    return join(this.execRoot, "berth.sock");
  }
  get bundles(): string {
    return join(this.execRoot, "bundles");
  }
  /** OCI bundle of a container: config.json, rootfs mount point, conmon's files. */
  bundle(id: string): string {
    return join(this.bundles, id);
  }
  rootfs(id: string): string {
    return join(this.bundle(id), "rootfs");
  }
  /** /dev/shm of a container that shares its IPC namespace. */
  sharedMemory(id: string): string {
    return join(this.bundle(id), "shm");
  }
  /** Mount points of the parts of volumes that a container gets (`volume-subpath`). */
  subpaths(id: string): string {
    return join(this.bundle(id), "subpaths");
  }
  /** Execs of a container, a folder each. */
  execs(containerId: string): string {
    return join(this.bundle(containerId), "exec");
  }
  exec(containerId: string, id: string): string {
    return join(this.execs(containerId), id);
  }
  /** State folder of the OCI runtime (`--root`). */
  get runtimeRoot(): string {
    return join(this.execRoot, "runtime");
  }
  /** The OCI runtime's own folder for one container: ours only to look whether it is there, and for the pipe of its start. */
  runtimeState(id: string): string {
    return join(this.runtimeRoot, id);
  }
  /** Exit codes written by conmon, one file per container or exec. */
  get exits(): string {
    return join(this.execRoot, "exits");
  }
  get networkNamespaces(): string {
    return join(this.execRoot, "netns");
  }
  networkNamespace(id: string): string {
    return join(this.networkNamespaces, id);
  }
}
