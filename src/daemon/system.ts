/** The daemon's answers about itself and its host. */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, hostname, release, totalmem } from "node:os";
import type { EventMessage } from "#api/types/event.ts";
import type { EventsQuery } from "#api/types/query.ts";
import type { DiskUsage, SystemInfo, SystemVersion } from "#api/types/system.ts";
import type { Engine } from "#engine/engine.ts";
import type { Layout } from "#store/layout.ts";
import { apiVersion, minApiVersion } from "./api.ts";
import type { Configuration } from "./configuration.ts";
import type { Programs } from "./prerequisites.ts";
import { hostArchitecture } from "./query.ts";
import type { DiskUsageType, SystemBackend } from "./routes/system.ts";
import { programCommit as gitCommit, programVersion as version } from "#lib/build.ts";

export class SystemService implements SystemBackend {
  readonly #engine: Engine;
  readonly #configuration: Configuration;
  readonly #layout: Layout;
  readonly #programs: Programs;
  #components: Promise<SystemVersion["Components"]> | undefined;

  constructor(engine: Engine, configuration: Configuration, layout: Layout, programs: Programs) {
    this.#engine = engine;
    this.#configuration = configuration;
    this.#layout = layout;
    this.#programs = programs;
  }

  async version(): Promise<SystemVersion> {
    this.#components ??= this.#askComponents();
    return {
      Platform: { Name: "Berth Engine" },
      Components: await this.#components,
      Version: version,
      ApiVersion: apiVersion,
      MinAPIVersion: minApiVersion,
      GitCommit: gitCommit,
      GoVersion: "",
      Os: "linux",
      Arch: hostArchitecture(),
      KernelVersion: release(),
    };
  }

  async info(): Promise<SystemInfo> {
    const { containers, images, host, networks } = this.#engine;
    const counts = containers.counts();
    const { limits, cgroup } = host;
    return {
      ID: hostname(),
      Containers: counts.running + counts.paused + counts.stopped,
      ContainersRunning: counts.running,
      ContainersPaused: counts.paused,
      ContainersStopped: counts.stopped,
      Images: images.list({ all: true, digests: false, sharedSize: false, manifests: false, filters: {} }).length,
      Driver: "overlay2",
      DriverStatus: [["Native Overlay Diff", "true"]],
      Plugins: {
        Volume: ["local"],
        Network: ["bridge", "host", "null"],
        Authorization: null,
        Log: ["json-file", "local", "none"],
      },
      MemoryLimit: limits.memory,
      SwapLimit: limits.swap,
      CpuCfsPeriod: limits.cpuQuota,
      CpuCfsQuota: limits.cpuQuota,
      CPUShares: limits.cpuShares,
      CPUSet: limits.cpuset !== undefined,
      PidsLimit: limits.pids,
      IPv4Forwarding: readText("/proc/sys/net/ipv4/ip_forward") === "1",
      Debug: this.#configuration.logLevel === "debug",
      NFd: 0,
      OomKillDisable: limits.oomKillDisable,
      NGoroutines: 0,
      SystemTime: new Date().toISOString(),
      LoggingDriver: "json-file",
      CgroupDriver: "cgroupfs",
      CgroupVersion: cgroup.mode === "v2" ? "2" : "1",
      NEventsListener: 0,
      KernelVersion: release(),
      OperatingSystem: osRelease("PRETTY_NAME") ?? "Linux",
      OSVersion: osRelease("VERSION_ID") ?? "",
      OSType: "linux",
      Architecture: arch() === "x64" ? "x86_64" : arch() === "arm64" ? "aarch64" : arch(),
      IndexServerAddress: "https://index.docker.io/v1/",
      RegistryConfig: {
        InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8"],
        IndexConfigs: {},
        Mirrors: this.#configuration.registryMirrors,
      },
      NCPU: availableParallelism(),
      MemTotal: totalmem(),
      GenericResources: null,
      DockerRootDir: this.#layout.dataRoot,
      HttpProxy: process.env["HTTP_PROXY"] ?? "",
      HttpsProxy: process.env["HTTPS_PROXY"] ?? "",
      NoProxy: process.env["NO_PROXY"] ?? "",
      Name: hostname(),
      Labels: [],
      ExperimentalBuild: false,
      ServerVersion: version,
      Runtimes: Object.fromEntries(
        [...this.#programs.runtimes].map(([name, { path, arguments: options }]) => [
          name,
          { path, ...(options.length > 0 && { runtimeArgs: [...options] }) },
        ]),
      ),
      DefaultRuntime: this.#programs.defaultRuntime,
      Swarm: {
        NodeID: "",
        NodeAddr: "",
        LocalNodeState: "inactive",
        ControlAvailable: false,
        Error: "",
        RemoteManagers: null,
      },
      LiveRestoreEnabled: true,
      Isolation: "",
      InitBinary: host.init ?? "",
      ContainerdCommit: { ID: "" },
      RuncCommit: { ID: "" },
      InitCommit: { ID: "" },
      SecurityOptions: [
        ...(host.apparmor ? ["name=apparmor"] : []),
        ...(host.seccomp ? ["name=seccomp,profile=builtin"] : []),
        ...(cgroup.mode === "v2" ? ["name=cgroupns"] : []),
      ],
      CDISpecDirs: [],
      Warnings: networks.forwardWarnings(),
    };
  }

  events(query: EventsQuery, signal: AbortSignal): AsyncIterable<EventMessage> {
    return this.#engine.events.subscribe(query, signal);
  }

  async diskUsage(types: readonly DiskUsageType[], signal: AbortSignal): Promise<DiskUsage> {
    const { images, containers, volumes, store } = this.#engine;
    const wants = (type: DiskUsageType): boolean => types.includes(type);
    return {
      ...(wants("image") && {
        LayersSize: store.layers.list().reduce((sum, { size }) => sum + size, 0),
        Images: images.list({ all: true, digests: false, sharedSize: true, manifests: false, filters: {} }),
      }),
      ...(wants("container") && {
        Containers: await containers.list({ all: true, limit: 0, size: true, filters: {} }),
      }),
      ...(wants("volume") && { Volumes: await volumes.usage(signal) }),
      ...(wants("build-cache") && { BuildCache: [] }),
    };
  }

  async #askComponents(): Promise<SystemVersion["Components"]> {
    const { conmon, runtimes, defaultRuntime } = this.#programs;
    const versions = await Promise.all([conmon, runtimes.get(defaultRuntime)?.path ?? ""].map(versionOf));
    return [
      {
        Name: "Engine",
        Version: version,
        Details: {
          ApiVersion: apiVersion,
          MinAPIVersion: minApiVersion,
          GitCommit: gitCommit,
          Os: "linux",
          Arch: hostArchitecture(),
          KernelVersion: release(),
          Experimental: "false",
        },
      },
      { Name: "conmon", Version: versions[0] ?? "" },
      { Name: defaultRuntime, Version: versions[1] ?? "" },
    ];
  }
}

async function versionOf(program: string): Promise<string> {
  const child = Bun.spawn([program, "--version"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line = ""] = (await new Response(child.stdout).text()).split("\n");
  return line.split(" ").at(-1) ?? "";
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** A field of os-release(5). */
function osRelease(field: string): string | undefined {
  return new RegExp(`^${field}="?([^"\n]*)"?$`, "m").exec(readText("/etc/os-release"))?.[1];
}
