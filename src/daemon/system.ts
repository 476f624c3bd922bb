/** The daemon's answers about itself and its host. */
import { arch, availableParallelism, hostname, release, totalmem } from "node:os";
import type { EventMessage } from "#api/types/event.ts";
import type { EventsQuery } from "#api/types/query.ts";
import type { DiskUsage, SystemInfo, SystemVersion } from "#api/types/system.ts";
import type { Engine } from "#engine/engine.ts";
import { logDrivers } from "#engine/log/drivers.ts";
import { cdiFolders } from "#engine/spec/cdi-spec.ts";
import type { Layout } from "#store/layout.ts";
import { apiVersion, minApiVersion } from "./api.ts";
import { engineId } from "./engine-id.ts";
import type { LiveConfiguration } from "./live-configuration.ts";
import type { Programs } from "./prerequisites.ts";
import {
  driverStatus,
  hostWarnings,
  openDescriptors,
  osRelease,
  proxyAddress,
  readText,
  registryConfig,
} from "./host-information.ts";
import { hostArchitecture } from "./query.ts";
import type { DiskUsageType, SystemBackend } from "./routes/system.ts";
import { programCommit as gitCommit, programVersion as version } from "#lib/build.ts";

export class SystemService implements SystemBackend {
  readonly #engine: Engine;
  readonly #live: LiveConfiguration;
  readonly #layout: Layout;
  /** Asked of programs once; a reload can bring others. */
  #components: { of: Programs; answer: Promise<SystemVersion["Components"]> } | undefined;

  constructor(engine: Engine, live: LiveConfiguration, layout: Layout) {
    this.#engine = engine;
    this.#live = live;
    this.#layout = layout;
  }

  async version(): Promise<SystemVersion> {
    const { programs } = this.#live;
    if (this.#components?.of !== programs) this.#components = { of: programs, answer: this.#askComponents() };
    return {
      Platform: { Name: "Berth Engine" },
      Components: await this.#components.answer,
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
    const { containers, events, images, host, networks } = this.#engine;
    const counts = containers.counts();
    const { limits, cgroup } = host;
    const forwarding = readText("/proc/sys/net/ipv4/ip_forward") === "1";
    const { current, programs } = this.#live;
    return {
      ID: engineId(this.#layout),
      Containers: counts.running + counts.paused + counts.stopped,
      ContainersRunning: counts.running,
      ContainersPaused: counts.paused,
      ContainersStopped: counts.stopped,
      Images: images.list({ all: true, digests: false, sharedSize: false, manifests: false, filters: {} }).length,
      Driver: "overlay2",
      DriverStatus: driverStatus(this.#layout.dataRoot),
      Plugins: {
        Volume: ["local"],
        Network: ["bridge", "host", "null"],
        Authorization: null,
        Log: [...logDrivers],
      },
      MemoryLimit: limits.memory,
      SwapLimit: limits.swap,
      CpuCfsPeriod: limits.cpuQuota,
      CpuCfsQuota: limits.cpuQuota,
      CPUShares: limits.cpuShares,
      CPUSet: limits.cpuset !== undefined,
      PidsLimit: limits.pids,
      IPv4Forwarding: forwarding,
      Debug: current["log-level"] === "debug",
      NFd: openDescriptors(),
      OomKillDisable: limits.oomKillDisable,
      NGoroutines: 0,
      SystemTime: new Date().toISOString(),
      LoggingDriver: current["log-driver"],
      CgroupDriver: "cgroupfs",
      CgroupVersion: cgroup.mode === "v2" ? "2" : "1",
      NEventsListener: events.listeners,
      KernelVersion: release(),
      OperatingSystem: osRelease("PRETTY_NAME") ?? "Linux",
      OSVersion: osRelease("VERSION_ID") ?? "",
      OSType: "linux",
      Architecture: arch() === "x64" ? "x86_64" : arch() === "arm64" ? "aarch64" : arch(),
      IndexServerAddress: "https://index.docker.io/v1/",
      RegistryConfig: registryConfig(current["registry-mirrors"], current["insecure-registries"]),
      NCPU: availableParallelism(),
      MemTotal: totalmem(),
      GenericResources: null,
      DockerRootDir: this.#layout.dataRoot,
      HttpProxy: proxyAddress("http_proxy"),
      HttpsProxy: proxyAddress("https_proxy"),
      NoProxy: process.env["NO_PROXY"] || process.env["no_proxy"] || "",
      Name: hostname(),
      Labels: current.labels,
      ExperimentalBuild: false,
      ServerVersion: version,
      Runtimes: Object.fromEntries(
        [...programs.runtimes].map(([name, { path, arguments: options }]) => [
          name,
          { path, ...(options.length > 0 && { runtimeArgs: [...options] }) },
        ]),
      ),
      DefaultRuntime: programs.defaultRuntime,
      Swarm: {
        NodeID: "",
        NodeAddr: "",
        LocalNodeState: "inactive",
        ControlAvailable: false,
        Error: "",
        RemoteManagers: null,
      },
      LiveRestoreEnabled: current["live-restore"],
      Isolation: "",
      InitBinary: host.init ?? "",
      ContainerdCommit: { ID: "N/A" },
      RuncCommit: { ID: "N/A" },
      InitCommit: { ID: "N/A" },
      SecurityOptions: [
        ...(host.apparmor ? ["name=apparmor"] : []),
        ...(host.seccomp ? [`name=seccomp,profile=${current["seccomp-profile"]}`] : []),
        ...(current["userns-remap"] === "" ? [] : ["name=userns"]),
        ...(cgroup.mode === "v2" ? ["name=cgroupns"] : []),
        ...(current["no-new-privileges"] ? ["name=no-new-privileges"] : []),
      ],
      ...(current["default-address-pools"].length > 0 && {
        DefaultAddressPools: current["default-address-pools"].map(({ base, size }) => ({ Base: base, Size: size })),
      }),
      FirewallBackend: { Driver: "nftables" },
      DiscoveredDevices: [],
      CDISpecDirs: [...cdiFolders],
      Warnings: [...hostWarnings(host, current, forwarding), ...networks.forwardWarnings()],
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
    const { conmon, runtimes, defaultRuntime } = this.#live.programs;
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
