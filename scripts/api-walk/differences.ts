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

/** Who is compared is Docker 20.10 (API 1.41) on Debian 12; we follow 28. */
const older = "Docker 28 does as we do; 20.10 did not";
const bodies = "bad bodies: Docker 28's words, without the names of Go's types";
const strict = "Docker accepts it at create, and fails at the start or ignores it";
const fault = "the request's fault, told as 400 or 409: Docker tells 500";
const words = "other words";

const differences: readonly Difference[] = [
  { request: /./, fault: /501.* (is|are) not supported( yet)?/, reason: "not built yet" },
  {
    request: /./,
    fault:
      /(400 \(|message ")invalid JSON: .*Docker (500 \(|400 \(|")(json: |unexpected EOF|EOF|got EOF|invalid character)/,
    reason: bodies,
  },
  { request: /./, fault: /400 \(.*Docker 500 \(json: /, reason: fault },
  { request: /filters=/, fault: /invalid filter.*Docker .*(json: |unexpected end|Invalid filter)/, reason: older },
  { request: /./, fault: /^message "(.*)", Docker "\1"$/i, reason: older },
  { request: /followed by more|text.plain|no body|body null/, fault: /./, reason: older },
  { request: /without a version/, fault: /^(shape|type)/, reason: "without a version each speaks its newest" },
  { request: /./, fault: /^status 4\d\d \((.*)\), Docker 500 \(\1\)$/i, reason: fault },
  { request: /=/, fault: /strconv\.(Atoi|ParseInt)|value out of range|invalid syntax/, reason: fault },
  { request: /resize/, fault: /invalid resize/, reason: older },
  // Fields and values that came after API 1.41, or went.
  {
    request: /./,
    fault: /(DNSNames|GwPriority|EnableIPv4|CDISpecDirs|FirewallBackend|DiscoveredDevices)/,
    reason: older,
  },
  {
    request: /./,
    fault: /(KernelMemory(TCP)?|BuildTime|BuilderSize|ContainerConfig|\.Container|VirtualSize): /,
    reason: older,
  },
  { request: /./, fault: /AllowNondistributable|BridgeNf|Commit\.Expected/, reason: older },
  {
    request: /./,
    fault: /StartInterval|Annotations|CreateMountpoint|ReadOnly(NonRecursive|ForceRecursive)/,
    reason: older,
  },
  {
    request: /Mounts\.0\.(VolumeOptions\.Subpath|ImageOptions|TmpfsOptions\.Options)|ConsoleSize|ClusterVolumeSpec/,
    fault: /./,
    reason: older,
  },
  {
    request: /StartInterval|Annotations|CreateMountpoint|ReadOnlyNonRecursive|ReadOnlyForceRecursive/,
    fault: /./,
    reason: older,
  },
  { request: /logs/, fault: /^type application.*raw-stream, Docker $/, reason: older },
  { request: /images|system.df/, fault: /RepoDigests: list, Docker null/, reason: older },
  { request: /wait/, fault: /\.Error: only in Docker's/, reason: older },
  { request: /wait condition|wait bad condition/, fault: /Docker (200|404)/, reason: older },
  { request: /(stop|restart|kill)/, fault: /invalid signal|not support signal/i, reason: older },
  { request: /kill/, fault: /cannot kill container/i, reason: older },
  { request: /info/, fault: /Warnings: /, reason: "what the host lacks is told" },
  { request: /info too (old|new)/, fault: /./, reason: "another range of versions" },
  { request: /events/, fault: /\.(from|id|status): /, reason: "the first event is another one" },
  { request: /events filters/, fault: /invalid filter/, reason: "a filter that would be ignored is refused" },
  {
    request: /HostConfig|json (created|running|exited|paused), size|json valid/,
    fault: /HostConfig\.Runtime/,
    reason: older,
  },
  { request: /networks/, fault: /IPAM\.(Config: null|Options: object)/, reason: older },
  { request: /networks/, fault: /network name|name or ID|invalid name/, reason: words },
  { request: /disconnect unknown name/, fault: /404/, reason: fault },
  { request: /archive/, fault: /bad parameter|NUL character|Docker 500 \(\)/, reason: words },
  { request: /attach|exec/, fault: /[Dd]etach keys|escape keys/, reason: words },
  { request: /exec paused/, fault: /is paused/, reason: older },
  { request: /exec.*Cmd of a wrong type/, fault: /./, reason: older },
  { request: /DELETE .containers/, fault: /cannot remove container|default link name/, reason: older },
  { request: /unpause/, fault: /is not paused/, reason: fault },
  { request: /top/, fault: /ps: |ps_args|nul byte/, reason: fault },
  { request: /platform/, fault: /platform/, reason: older },
  { request: /build.prune/, fault: /./, reason: "builds are to come" },
  { request: /images.create/, fault: /./, reason: "what is imported from where is checked before, in other words" },
  { request: /changes=/, fault: /no instructions/, reason: "an empty change is none" },
  { request: /images/, fault: /[Nn]o such image|reference format|tag format/, reason: older },
  { request: /commit (repo|tag)=/, fault: /reference format|tag format/, reason: fault },
  { request: /images.load (without )?quiet/, fault: /^shape/, reason: "progress comes before the name" },
  {
    request: /volumes.create|system.df|volumes/,
    fault: /Labels: object, Docker null/,
    reason: "no labels are an empty map",
  },
  { request: /volumes.\{name\}/, fault: /404|503/, reason: older },
  { request: /system.df/, fault: /SizeRw|BuildCache/, reason: older },
  { request: /create (a|no|another|retries|rm) /, fault: /Docker 201/, reason: strict },
  { request: /create (a|no|another|retries|rm) /, fault: /Docker (0|500) /, reason: fault },
  { request: /create (a|no|another|retries|rm) /, fault: /^message/, reason: older },
  { request: /json before an unknown/, fault: /./, reason: fault },
  { request: /json a bad status/, fault: /^message/, reason: older },
  { request: /containers.json size/, fault: /SizeRw/, reason: "the space of new folders counts" },
  { request: /volumes.create all/, fault: /not a swarm manager/, reason: older },
  { request: /archive no archive|disconnect a container/, fault: /Docker 500/, reason: fault },
];

/** Docker 28 answers so too, as far as its source tells. */
export function isOfNewerDocker(reason: string): boolean {
  return reason === older || reason === bodies;
}

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
