/** What the walk need not report: fields that are not always there, and where and why we answer otherwise than Docker. */
import { nameOf } from "./reference.ts";
import type { WalkRequest } from "./requests.ts";

/** Fields of the reference that a sound answer may lack. */
const optional: readonly (readonly [endpoint: RegExp, field: RegExp, why: string])[] = [
  [/./, /\.(SizeRw|SizeRootFs|UsageData|Manifests|Peers)$/, "sent on request"],
  [/./, /\.(ImageManifestDescriptor|Descriptor)$/, "of images in a containerd store"],
  [/./, /\.Annotations$/, "absent while empty"],
  [/./, /\.HostConfig\.(KernelMemoryTCP|Init|Mounts|StorageOpt|Tmpfs|Sysctls)$/, "absent while empty"],
  [
    /./,
    /\.Config\.(User|ExposedPorts|Healthcheck|ArgsEscaped|NetworkDisabled|MacAddress|StopSignal|StopTimeout|Shell)$/,
    "absent while empty",
  ],
  [/images/, /\.Config\.(Volumes|WorkingDir)$/, "absent while empty"],
  [/./, /\.(Variant|OsVersion)$/, "of images that name them"],
  [/./, /\.State\.Health$/, "of containers with a health check"],
  [/wait/, /\.Error$/, "of starts that failed"],
  [/DELETE .images/, /\.(Deleted|Untagged)$/, "each item has one of the two"],
  [/info/, /\.(KernelMemoryTCP|ProductLicense|DefaultAddressPools|Containerd)$/, "absent while empty"],
  [/info/, /\.Swarm\.(Nodes|Managers|Cluster)$/, "absent while empty"],
  [/info/, /\.Runtimes\.\*\.(runtimeArgs|status)$/, "absent while empty"],
  [/info/, /\.FirewallBackend\.Info$/, "absent while empty"],
  [/version/, /\.(Experimental|BuildTime|Details)$/, "absent while empty"],
  [/./, /\.(Status|ClusterVolume)$/, "of volumes of other drivers"],
  [/networks/, /\.IPAM\.Config\[\]\.(IPRange|AuxiliaryAddresses)$/, "absent while empty"],
  [/stats/, /\.(storage|memory|precpu|pids)_stats\..*$/, "of Windows, of one cgroup version, or of a second sample"],
  [/exec/, /\.ProcessConfig\.user$/, "absent while empty"],
];

/** Fields that the reference does not name, though Docker sends them. */
const unnamed: readonly (readonly [endpoint: RegExp, line: RegExp, why: string])[] = [
  [/events/, /^\.(status|id|from) /, "how events were before 1.22, still sent"],
];

/** `request` fits `endpoint title`, `fault` the words of the finding. */
interface Difference {
  readonly request: RegExp;
  readonly fault: RegExp;
  readonly reason: string;
}

const old = "Docker 20.10 answers 500 where 28 says that it is the request's fault";

const differences: readonly Difference[] = [
  { request: /./, fault: /501.* is not supported yet/, reason: "not built yet" },
  {
    request: /./,
    fault: /(400 \(|message ")invalid JSON: .*Docker (500 \(|")(json: |unexpected EOF|EOF|got EOF|invalid character)/,
    reason: `bad bodies: 28's words without the names of Go's types; ${old}`,
  },
  { request: /filters=/, fault: /invalid filter.*Docker .*(json: |unexpected end)/, reason: "bad filters: 28's words" },
  { request: /filters=/, fault: /message "invalid filter.*Docker "Invalid filter/, reason: "bad filters: 28's words" },
  { request: /./, fault: /^message (".*), Docker \1"?$/i, reason: "28 begins messages with a small letter" },
];

export function optionalField(endpoint: string, field: string): boolean {
  return optional.some(([where, which]) => where.test(endpoint) && which.test(field));
}

export function ownField(endpoint: string, line: string): boolean {
  return unnamed.some(([where, which]) => where.test(endpoint) && which.test(line));
}

export function knownDifference(request: WalkRequest, fault: string): string | undefined {
  const where = `${nameOf(request.endpoint)} ${request.title}`;
  return differences.find((one) => one.request.test(where) && one.fault.test(fault))?.reason;
}
