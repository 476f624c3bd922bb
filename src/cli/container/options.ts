/** The options that `run` and `create` share: what they are called, what they take, what they mean. */
import { bool, collect, duration, int, list, map, string, value, type FlagOptions } from "../kinds.ts";
import { parseBytes } from "#lib/bytes.ts";
import {
  parseBpsDevice,
  parseCgroupRule,
  parseGpus,
  parseIopsDevice,
  parseUlimit,
  parseWeightDevice,
} from "./device-spec.ts";
import { parseMount } from "./mount-spec.ts";
import { checkAddress, parseNetwork } from "./network-spec.ts";
import {
  checkAttach,
  checkEnv,
  checkExtraHost,
  checkLabel,
  checkLink,
  checkSearchDomain,
  checkSysctl,
  parseCpus,
  parseMemorySwap,
} from "./option-checks.ts";

/** Bytes; 0 is unset. */
const bytes = (usage: string, options: FlagOptions = {}) => value("bytes", usage, 0, parseBytes, options);
const ms = "(ms|s|m|h)";

/** Limits that `update` can change too. */
export const resourceFlags = {
  "blkio-weight": int("Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)", {
    type: "uint16",
  }),
  "cpu-period": int("Limit CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": int("Limit CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-rt-period": int("Limit CPU real-time period in microseconds"),
  "cpu-rt-runtime": int("Limit CPU real-time runtime in microseconds"),
  "cpu-shares": int("CPU shares (relative weight)", { short: "c" }),
  cpus: value("decimal", "Number of CPUs", 0, parseCpus),
  "cpuset-cpus": string("CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": string("MEMs in which to allow execution (0-3, 0,1)"),
  memory: bytes("Memory limit", { short: "m" }),
  "memory-reservation": bytes("Memory soft limit"),
  "memory-swap": value(
    "bytes",
    "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
    0,
    parseMemorySwap,
  ),
  "pids-limit": int("Tune container pids limit (set -1 for unlimited)"),
};

const networkFlag = collect("network", "Connect a container to a network", parseNetwork, { complete: "networks" });
const aliasFlag = list("Add network-scoped alias for the container");
const dnsOption = list("Set DNS options");

/** Options of the container itself. */
export const containerFlags = {
  ...resourceFlags,
  "add-host": list("Add a custom host-to-IP mapping (host:ip)", { check: checkExtraHost }),
  annotation: map("Add an annotation to the container (passed through to the OCI runtime)"),
  attach: list("Attach to STDIN, STDOUT or STDERR", {
    short: "a",
    check: checkAttach,
    complete: ["stderr", "stdin", "stdout"],
  }),
  "blkio-weight-device": collect("list", "Block IO weight (relative device weight)", parseWeightDevice, {
    shown: "[]",
  }),
  "cap-add": list("Add Linux capabilities"),
  "cap-drop": list("Drop Linux capabilities"),
  "cgroup-parent": string("Optional parent cgroup for the container"),
  cgroupns: string("Cgroup namespace to use (host|private), the daemon's default when empty", {
    complete: ["host", "private"],
  }),
  cidfile: string("Write the container ID to the file", { complete: "files" }),
  "cpu-count": int("CPU count (Windows only)"),
  "cpu-percent": int("CPU percent (Windows only)"),
  device: list("Add a host device to the container", { complete: "files" }),
  "device-cgroup-rule": list("Add a rule to the cgroup allowed devices list", { check: parseCgroupRule }),
  "device-read-bps": collect("list", "Limit read rate (bytes per second) from a device", parseBpsDevice, {
    shown: "[]",
  }),
  "device-read-iops": collect("list", "Limit read rate (IO per second) from a device", parseIopsDevice, {
    shown: "[]",
  }),
  "device-write-bps": collect("list", "Limit write rate (bytes per second) to a device", parseBpsDevice, {
    shown: "[]",
  }),
  "device-write-iops": collect("list", "Limit write rate (IO per second) to a device", parseIopsDevice, {
    shown: "[]",
  }),
  "disable-content-trust": bool("Skip image verification", { initial: true }),
  dns: list("Set custom DNS servers", { check: checkAddress }),
  "dns-opt": { ...dnsOption, hidden: true },
  "dns-option": dnsOption,
  "dns-search": list("Set custom DNS search domains", { check: checkSearchDomain }),
  domainname: string("Container NIS domain name"),
  entrypoint: string("Overwrite the default ENTRYPOINT of the image"),
  env: list("Set environment variables", { short: "e", check: checkEnv }),
  "env-file": list("Read in a file of environment variables", { complete: "files" }),
  expose: list("Expose a port or a range of ports"),
  gpus: collect("gpu-request", "GPU devices to add to the container ('all' to pass all GPUs)", parseGpus),
  "group-add": list("Add additional groups to join"),
  "health-cmd": string("Command to run to check health"),
  "health-interval": duration(`Time between running the check ${ms}`),
  "health-retries": int("Consecutive failures needed to report unhealthy"),
  "health-start-interval": duration(`Time between running the check during the start period ${ms}`),
  "health-start-period": duration(
    `Start period for the container to initialize before starting health-retries countdown ${ms}`,
  ),
  "health-timeout": duration(`Maximum time to allow one check to run ${ms}`),
  help: bool("Print usage"),
  hostname: string("Container host name", { short: "h" }),
  init: bool("Run an init inside the container that forwards signals and reaps processes"),
  interactive: bool("Keep STDIN open even if not attached", { short: "i" }),
  "io-maxbandwidth": bytes("Maximum IO bandwidth limit for the system drive (Windows only)"),
  "io-maxiops": int("Maximum IOps limit for the system drive (Windows only)", { type: "uint" }),
  ip: string("IPv4 address (e.g., 172.30.100.104)"),
  ip6: string("IPv6 address (e.g., 2001:db8::33)"),
  ipc: string("IPC mode to use"),
  isolation: string("Container isolation technology"),
  "kernel-memory": bytes("Kernel memory limit"),
  label: list("Set meta data on a container", { short: "l", check: checkLabel }),
  "label-file": list("Read in a line delimited file of labels", { complete: "files" }),
  link: list("Add link to another container", { check: checkLink, complete: "containers" }),
  "link-local-ip": list("Container IPv4/IPv6 link-local addresses", { check: checkAddress }),
  "log-driver": string("Logging driver for the container"),
  "log-opt": list("Log driver options"),
  "mac-address": string("Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
  "memory-swappiness": int("Tune container memory swappiness (0 to 100)", { initial: -1 }),
  mount: collect("mount", "Attach a filesystem mount to the container", parseMount),
  net: { ...networkFlag, hidden: true },
  "net-alias": { ...aliasFlag, hidden: true },
  network: networkFlag,
  "network-alias": aliasFlag,
  "no-healthcheck": bool("Disable any container-specified HEALTHCHECK"),
  "oom-kill-disable": bool("Disable OOM Killer"),
  "oom-score-adj": int("Tune host's OOM preferences (-1000 to 1000)"),
  pid: string("PID namespace to use"),
  privileged: bool("Give extended privileges to this container"),
  publish: list("Publish a container's port(s) to the host", { short: "p" }),
  "publish-all": bool("Publish all exposed ports to random ports", { short: "P" }),
  "read-only": bool("Mount the container's root filesystem as read only"),
  restart: string("Restart policy to apply when a container exits", {
    initial: "no",
    complete: ["always", "no", "on-failure", "unless-stopped"],
  }),
  rm: bool("Automatically remove the container and its associated anonymous volumes when it exits"),
  runtime: string("Runtime to use for this container"),
  "security-opt": list("Security Options"),
  "shm-size": bytes("Size of /dev/shm"),
  "stop-signal": string("Signal to stop the container"),
  "stop-timeout": int("Timeout (in seconds) to stop a container"),
  "storage-opt": list("Storage driver options for the container"),
  sysctl: map("Sysctl options", { check: checkSysctl }),
  tmpfs: list("Mount a tmpfs directory"),
  tty: bool("Allocate a pseudo-TTY", { short: "t" }),
  ulimit: collect("ulimit", "Ulimit options", parseUlimit, { shown: "[]" }),
  user: string("Username or UID (format: <name|uid>[:<group|gid>])", { short: "u" }),
  userns: string("User namespace to use"),
  uts: string("UTS namespace to use"),
  volume: list("Bind mount a volume", { short: "v", complete: "volumes" }),
  "volume-driver": string("Optional volume driver for the container"),
  "volumes-from": list("Mount volumes from the specified container(s)", { complete: "containers" }),
  workdir: string("Working directory inside the container", { short: "w" }),
};

/** Options about how the container is created, not about what it is. */
export const creationFlags = {
  name: string("Assign a name to the container"),
  platform: string("Set platform if server is multi-platform capable"),
  pull: string('Pull image before running ("always", "missing", "never")', {
    initial: "missing",
    complete: ["always", "missing", "never"],
  }),
  quiet: bool("Suppress the pull output", { short: "q" }),
  "use-api-socket": bool("Bind mount the API socket and required auth"),
};
