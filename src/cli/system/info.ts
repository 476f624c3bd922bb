/** `berth info`: the daemon and its host. */
import type { SystemInfo } from "#api/types/system.ts";
import { clientVersion } from "../build.ts";
import { verb as define } from "../command.ts";
import { execute, objectFormat, parseFormat } from "../format.ts";
import { binarySize } from "../units.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: { format: objectFormat("f") },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    if (flags.format) {
      const template = parseFormat(flags.format === "json" ? "{{json .}}" : flags.format, 64);
      const info = await session.daemon.json<SystemInfo>("GET", "/info");
      const ClientInfo = {
        Debug: session.debug,
        ...clientVersion,
        Context: session.choice.context,
        Plugins: [],
        Warnings: null,
      };
      session.out.line(execute(template, { ...info, ClientInfo }));
      return;
    }
    session.out.write(
      `Client:\n Version:    ${clientVersion.Version}\n Context:    ${session.choice.context}\n Debug Mode: ${session.debug}\n\n`,
    );
    session.out.line("Server:");
    const info = await session.daemon.json<SystemInfo>("GET", "/info");
    const lines = [...counts(info), ...plugins(info), ...host(info)];
    session.out.write(`${lines.map((line) => ` ${line}\n`).join("")}\n`);
    for (const warning of info.Warnings ?? []) session.err.line(warning);
  },
});

function counts(info: SystemInfo): string[] {
  return [
    `Containers: ${info.Containers}`,
    ` Running: ${info.ContainersRunning}`,
    ` Paused: ${info.ContainersPaused}`,
    ` Stopped: ${info.ContainersStopped}`,
    `Images: ${info.Images}`,
    `Server Version: ${info.ServerVersion}`,
    `Storage Driver: ${info.Driver}`,
    ...info.DriverStatus.map(([name, value]) => ` ${name}: ${value}`),
    `Logging Driver: ${info.LoggingDriver}`,
    `Cgroup Driver: ${info.CgroupDriver}`,
    ...(info.CgroupVersion === undefined ? [] : [`Cgroup Version: ${info.CgroupVersion}`]),
  ];
}

function plugins(info: SystemInfo): string[] {
  const { Volume, Network, Authorization, Log } = info.Plugins;
  const security = info.SecurityOptions.flatMap((option) => {
    const [[, name = ""] = [], ...settings] = option.split(",").map((pair) => pair.split("="));
    return [
      ` ${name}`,
      ...settings.map(([key = "", value = ""]) => `  ${key === "profile" ? "Profile" : key}: ${value}`),
    ];
  });
  return [
    "Plugins:",
    ` Volume: ${Volume.join(" ")}`,
    ` Network: ${Network.join(" ")}`,
    ...(Authorization ? [` Authorization: ${Authorization.join(" ")}`] : []),
    ` Log: ${Log.join(" ")}`,
    ...(info.CDISpecDirs.length > 0 ? ["CDI spec directories:", ...info.CDISpecDirs.map((path) => ` ${path}`)] : []),
    `Swarm: ${info.Swarm.LocalNodeState}`,
    `Runtimes: ${Object.keys(info.Runtimes).join(" ")}`,
    `Default Runtime: ${info.DefaultRuntime}`,
    `Init Binary: ${info.InitBinary}`,
    ...(security.length > 0 ? ["Security Options:", ...security] : []),
  ];
}

function host(info: SystemInfo): string[] {
  const { InsecureRegistryCIDRs, IndexConfigs, Mirrors } = info.RegistryConfig;
  const insecure = Object.values(IndexConfigs).filter(({ Secure }) => !Secure);
  const registries = [...insecure.map(({ Name }) => Name), ...InsecureRegistryCIDRs];
  const pools = info.DefaultAddressPools ?? [];
  const proxies = { "HTTP Proxy": info.HttpProxy, "HTTPS Proxy": info.HttpsProxy, "No Proxy": info.NoProxy };
  return [
    `Kernel Version: ${info.KernelVersion}`,
    `Operating System: ${info.OperatingSystem}`,
    `OSType: ${info.OSType}`,
    `Architecture: ${info.Architecture}`,
    `CPUs: ${info.NCPU}`,
    `Total Memory: ${binarySize(info.MemTotal)}`,
    `Name: ${info.Name}`,
    `ID: ${info.ID}`,
    `Berth Root Dir: ${info.DockerRootDir}`,
    `Debug Mode: ${info.Debug}`,
    ...(info.Debug
      ? [
          ` File Descriptors: ${info.NFd}`,
          ` System Time: ${info.SystemTime}`,
          ` EventsListeners: ${info.NEventsListener}`,
        ]
      : []),
    ...Object.entries(proxies).flatMap(([name, value]) => (value ? [`${name}: ${value}`] : [])),
    ...(info.Labels.length > 0 ? ["Labels:", ...info.Labels.map((label) => ` ${label}`)] : []),
    `Experimental: ${info.ExperimentalBuild}`,
    ...(registries.length > 0 ? ["Insecure Registries:", ...registries.map((name) => ` ${name}`)] : []),
    ...(Mirrors.length > 0 ? ["Registry Mirrors:", ...Mirrors.map((mirror) => ` ${mirror}`)] : []),
    `Live Restore Enabled: ${info.LiveRestoreEnabled}`,
    ...(pools.length > 0
      ? ["Default Address Pools:", ...pools.map(({ Base, Size }) => `  Base: ${Base}, Size: ${Size}`)]
      : []),
  ];
}
