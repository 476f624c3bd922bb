/** A container as the placeholders of `ps --format` print it. */
import type { ContainerSummary, Port } from "#api/types/container.ts";
import type { Headers } from "../format.ts";
import { quote } from "../go.ts";
import { Row } from "../template/value.ts";
import { ago, ellipsis, humanSize, localTime, shortId } from "../units.ts";

export const containerHeaders: Headers = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Ports: "PORTS",
  State: "STATE",
  Status: "STATUS",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
  Platform: "PLATFORM",
};

/** `trunc` shortens ids, commands and mounts. */
export function containerRow(container: ContainerSummary, trunc: boolean): Row {
  const { Labels, Mounts } = container;
  return new Row("*formatter.ContainerContext", {
    ID: () => (trunc ? shortId(container.Id) : container.Id),
    Names: () => names(container.Names, trunc),
    Image: () => image(container, trunc),
    Command: () => quote(trunc ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: () => localTime(container.Created),
    RunningFor: () => ago(container.Created * 1000),
    Platform: () => platform(container),
    Ports: () => displayPorts(container.Ports ?? []),
    State: () => container.State,
    Status: () => container.Status,
    Size: () => {
      const own = humanSize(container.SizeRw ?? 0, 3);
      return container.SizeRootFs ? `${own} (virtual ${humanSize(container.SizeRootFs, 3)})` : own;
    },
    Labels: () => joinLabels(Labels),
    Label: (name: string) => Labels?.[name] ?? "",
    Mounts: () =>
      (Mounts ?? []).map(({ Name, Source }) => (trunc ? ellipsis(Name || Source, 15) : Name || Source)).join(","),
    LocalVolumes: () => String((Mounts ?? []).filter(({ Driver }) => Driver === "local").length),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
  });
}

/** `a=1,b=2` by name. */
export function joinLabels(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([name, text]) => `${name}=${text}`)
    .toSorted()
    .join(",");
}

/** Truncated, only the container's own name: those with a slash are links of others. */
function names(all: readonly string[], trunc: boolean): string {
  const plain = all.map((name) => name.replace(/^\//, ""));
  return trunc ? (plain.find((name) => !name.includes("/")) ?? "") : plain.join(",");
}

function image({ Image, ImageID }: ContainerSummary, trunc: boolean): string {
  if (Image === "") return "<no image>";
  if (!trunc) return Image;
  if (ImageID && shortId(ImageID) === shortId(Image)) return shortId(ImageID);
  return Image.replace(/@[a-z0-9]+:[0-9a-f]+$/, "");
}

function platform({ ImageManifestDescriptor: manifest }: ContainerSummary): string | null {
  if (!manifest?.platform) return null;
  const { os, architecture, variant } = manifest.platform;
  return [os, architecture, variant].filter(Boolean).join("/");
}

interface Group {
  readonly address: string;
  readonly type: string;
  readonly first: number;
  last: number;
}

/** `0.0.0.0:80->80/tcp, 8000-8010/udp`: ports that keep their number merge into ranges, remapped ones follow. */
function displayPorts(ports: readonly Port[]): string {
  const groups = new Map<string, Group>();
  const done: string[] = [];
  const remapped: string[] = [];
  for (const { IP = "", PrivatePort, PublicPort = 0, Type } of ports.toSorted(comparePorts)) {
    if (IP !== "" && PublicPort !== PrivatePort) {
      remapped.push(`${hostPort(IP, String(PublicPort))}->${PrivatePort}/${Type}`);
      continue;
    }
    const key = `${IP}/${Type}`;
    const group = groups.get(key);
    if (group && PrivatePort === group.last + 1) {
      group.last = PrivatePort;
      continue;
    }
    if (group) done.push(showGroup(group));
    groups.set(key, { address: IP, type: Type, first: PrivatePort, last: PrivatePort });
  }
  return [...done, ...[...groups.values()].map(showGroup), ...remapped].join(", ");
}

function showGroup({ address, type, first, last }: Group): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${address === "" ? "" : `${hostPort(address, range)}->`}${range}/${type}`;
}

/** Brackets around an IPv6 address. */
export function hostPort(address: string, port: string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function comparePorts(a: Port, b: Port): number {
  if (a.PrivatePort !== b.PrivatePort) return a.PrivatePort - b.PrivatePort;
  if ((a.IP ?? "") !== (b.IP ?? "")) return (a.IP ?? "") < (b.IP ?? "") ? -1 : 1;
  return (a.PublicPort ?? 0) - (b.PublicPort ?? 0) || (a.Type < b.Type ? -1 : a.Type > b.Type ? 1 : 0);
}
