/** Flags of volumes that a cluster provides: a daemon without one, such as ours, refuses what they ask for. */
import { parseBytes } from "#lib/bytes.ts";
import { list, map, string, value } from "../kinds.ts";

const bytes = (usage: string) => value("bytes", usage, 0, parseBytes);

export const clusterFlags = {
  availability: string(`Cluster Volume availability ("active", "pause", "drain")`, { initial: "active" }),
  group: string("Cluster Volume group (cluster volumes)"),
  "limit-bytes": bytes("Minimum size of the Cluster Volume in bytes"),
  "required-bytes": bytes("Maximum size of the Cluster Volume in bytes"),
  scope: string(`Cluster Volume access scope ("single", "multi")`, { initial: "single" }),
  secret: map("Cluster Volume secrets"),
  sharing: string(`Cluster Volume access sharing ("none", "readonly", "onewriter", "all")`, { initial: "none" }),
  "topology-preferred": list("A topology that the Cluster Volume would be preferred in"),
  "topology-required": list("A topology that the Cluster Volume must be accessible from"),
  type: string(`Cluster Volume access type ("mount", "block")`, { initial: "block" }),
};

interface ClusterValues {
  availability: string;
  group: string;
  "limit-bytes": number;
  "required-bytes": number;
  scope: string;
  secret: Readonly<Record<string, string>>;
  sharing: string;
  "topology-preferred": readonly string[];
  "topology-required": readonly string[];
  type: string;
}

/** `ClusterVolumeSpec` of the request, undefined where none of the flags was given. */
export function clusterSpec(flags: ClusterValues, changed: ReadonlySet<string>): Record<string, unknown> | undefined {
  if (!Object.keys(clusterFlags).some((name) => changed.has(name))) return undefined;
  const secrets = Object.entries(flags.secret).map(([Key, Secret]) => ({ Key, Secret }));
  const requirements = {
    Requisite: flags["topology-required"].map(topology),
    Preferred: flags["topology-preferred"].map(topology),
  };
  return {
    Group: flags.group,
    AccessMode: {
      Scope: flags.scope,
      Sharing: flags.sharing,
      ...(flags.type === "mount" && { MountVolume: {} }),
      ...(flags.type === "block" && { BlockVolume: {} }),
    },
    AccessibilityRequirements: requirements,
    CapacityRange: { RequiredBytes: flags["required-bytes"], LimitBytes: flags["limit-bytes"] },
    Secrets: secrets.toSorted((a, b) => (a.Key < b.Key ? -1 : 1)),
    Availability: flags.availability,
  };
}

function topology(text: string): { Segments: Record<string, string> } {
  const pairs = text.split(",").map((pair) => {
    const [key = "", ...rest] = pair.split("=");
    return [key, rest.join("=")] as const;
  });
  return { Segments: Object.fromEntries(pairs) };
}
