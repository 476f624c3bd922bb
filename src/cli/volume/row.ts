/** A volume as the placeholders of `volume ls --format` print it. */
import type { Volume } from "#api/types/volume.ts";
import { joinLabels } from "../container/row.ts";
import type { Headers } from "../format.ts";
import { Row } from "../template/value.ts";
import { humanSize } from "../units.ts";

export const volumeHeaders: Headers = {
  Name: "VOLUME NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  Availability: "AVAILABILITY",
  Mountpoint: "MOUNTPOINT",
  Links: "LINKS",
  Size: "SIZE",
  Group: "GROUP",
  Status: "STATUS",
  Labels: "LABELS",
};

/** What only cluster volumes have, and what only `system df` knows, is N/A. */
export function volumeRow({ Name, Driver, Scope, Mountpoint, Labels, UsageData, ClusterVolume }: Volume): Row {
  return new Row("*formatter.volumeContext", {
    Name: () => Name,
    Driver: () => Driver,
    Scope: () => Scope,
    Availability: () => ClusterVolume?.Spec?.Availability ?? "N/A",
    Mountpoint: () => Mountpoint,
    Links: () => (UsageData ? String(UsageData.RefCount) : "N/A"),
    Size: () => (UsageData && UsageData.Size !== -1 ? humanSize(UsageData.Size) : "N/A"),
    Group: () => ClusterVolume?.Spec?.Group ?? "N/A",
    Status: () => clusterStatus(ClusterVolume),
    Labels: () => joinLabels(Labels),
    Label: (name: string) => Labels?.[name] ?? "",
  });
}

function clusterStatus(volume: Volume["ClusterVolume"]): string {
  if (!volume) return "N/A";
  return volume.Info?.VolumeID ? "created" : "pending creation";
}
