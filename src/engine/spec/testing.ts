/** What tests of the spec share: complete configurations, and a tiny root file system in which crun really runs. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerConfig, HostConfig } from "#api/types/container-config.ts";
import { buildSpec, type SpecInput } from "./build.ts";
import { type HostFacts, readHostFacts } from "./host.ts";
import { specJson } from "./json.ts";
import type { RuntimeSpec } from "./types.ts";
import { validateContainer } from "./validate.ts";
import { noLimits } from "./resources.ts";

/** Static, and the only program that the tests' containers need. */
const BUSYBOX = "/bin/busybox";
const APPLETS = "sh cat grep id mount ls env pwd stat hostname sleep tr touch kill chroot".split(" ");

export function thisHost(): HostFacts {
  const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
  return readHostFacts({ mode: v2 ? "v2" : "hybrid", controllers: ["memory", "cpu", "cpuset", "pids", "blkio", "io"] });
}

export function emptyConfig(changes: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    Hostname: "",
    Domainname: "",
    User: "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: null,
    Image: "busybox",
    Volumes: null,
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: {},
    ...changes,
  };
}

export function emptyHostConfig(changes: Partial<HostConfig> = {}): HostConfig {
  const zero = {
    ...noLimits,
    Binds: null,
    ContainerIDFile: "",
    PortBindings: null,
    AutoRemove: false,
    VolumeDriver: "",
    VolumesFrom: null,
    CapAdd: null,
    CapDrop: null,
    Dns: [],
    DnsOptions: [],
    DnsSearch: [],
    ExtraHosts: null,
    GroupAdd: null,
    IpcMode: "",
    Cgroup: "",
    Links: null,
    OomScoreAdj: 0,
    PidMode: "",
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: false,
    SecurityOpt: null,
    UTSMode: "",
    UsernsMode: "",
    ShmSize: 0,
    Isolation: "",
    MaskedPaths: null,
    ReadonlyPaths: null,
  };
  return {
    ...zero,
    CgroupnsMode: "",
    ConsoleSize: [0, 0],
    LogConfig: { Type: "json-file", Config: {} },
    NetworkMode: "none",
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    ...changes,
  };
}

export interface Run {
  exitCode: number;
  stdout: string;
  stderr: string;
  warnings: string[];
  spec: RuntimeSpec;
}

/** A bundle with a root file system of busybox. Dispose removes everything that it made, cgroups too. */
export class Sandbox implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "berth-spec-"));
  readonly rootfs = join(this.folder, "rootfs");
  readonly host = thisHost();
  readonly #cgroup = `berth-test-${process.pid}`;
  #runs = 0;

  constructor() {
    for (const name of ["bin", "proc", "sys", "dev", "etc", "tmp", "root"])
      mkdirSync(join(this.rootfs, name), { recursive: true });
    copyFileSync(BUSYBOX, join(this.rootfs, "bin/busybox"));
    for (const applet of APPLETS) symlinkSync("busybox", join(this.rootfs, "bin", applet));
  }

  input(
    config: Partial<ContainerConfig>,
    hostConfig: Partial<HostConfig> = {},
    more: Partial<SpecInput> = {},
  ): SpecInput {
    return {
      id: `spec-${process.pid}-${++this.#runs}`,
      config: emptyConfig({ Hostname: "box", ...config }),
      hostConfig: emptyHostConfig({ CgroupParent: this.#cgroup, ...hostConfig }),
      rootfs: this.rootfs,
      user: { uid: 0, gid: 0, additionalGids: [0], home: "/root", username: "root" },
      mounts: [],
      files: {},
      namespaces: { network: "new" },
      ...more,
    };
  }

  /** Validates, builds, and lets an OCI runtime run it to its end. */
  run(input: SpecInput, runtime = "crun"): Run {
    const warnings = validateContainer({ ...input.config, Hostname: "" }, input.hostConfig, this.host);
    const built = buildSpec(input, this.host);
    writeFileSync(join(this.folder, "config.json"), specJson(built.spec));
    const { exitCode, stdout, stderr } = Bun.spawnSync({
      cmd: [runtime, "--root", join(this.folder, runtime), "run", "--bundle", this.folder, input.id],
      stdin: "ignore",
    });
    return {
      exitCode,
      stdout: stdout.toString(),
      stderr: stderr.toString(),
      warnings: [...warnings, ...built.warnings],
      spec: built.spec,
    };
  }

  /** Output of a shell command in a container; throws what it said where it fails. */
  sh(command: string, hostConfig: Partial<HostConfig> = {}, more: Partial<SpecInput> = {}): string {
    const run = this.run(this.input({ Cmd: ["sh", "-c", command] }, hostConfig, more));
    if (run.exitCode !== 0) throw new Error(`exit ${run.exitCode}: ${run.stdout}${run.stderr}`);
    return run.stdout.trimEnd();
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
    const roots = ["", ...readdirSync("/sys/fs/cgroup")].map((name) => join("/sys/fs/cgroup", name, this.#cgroup));
    for (const root of roots) if (existsSync(root)) rmdirSync(root);
  }
}
