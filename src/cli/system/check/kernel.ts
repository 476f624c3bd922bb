/** Checks of the kernel: what containers are made of. */
import { fail, type Finding, ok, warn } from "./finding.ts";
import type { HostFiles } from "./host.ts";

export function kernelFindings(host: HostFiles): Finding[] {
  return [
    version(host),
    overlay(host),
    cgroups(host),
    ...namespaces(host),
    module(host, "nftables", "nf_tables", "nf_tables_newtable", "networks and published ports"),
    module(host, "connection tracking", "nf_conntrack", "nf_conntrack_in", "published ports"),
    module(host, "bridge", "bridge", "br_add_if", "networks"),
    module(host, "veth", "veth", "veth_newlink", "networks"),
    bridgeFilter(host),
    forwarding(host),
    seccomp(host),
    apparmor(host),
  ];
}

function version(host: HostFiles): Finding {
  const name = "kernel";
  if (host.kernelIs(5, 15)) return ok(name, host.kernel);
  if (host.kernelIs(5, 6)) return warn(name, host.kernel, "it is older than any that is tested: use 5.15 or newer");
  return fail(name, host.kernel, "use a kernel of 5.15 or newer: openat2(2) and the mount API are needed");
}

function overlay(host: HostFiles): Finding {
  const known = /\boverlay$/m.test(host.read("/proc/filesystems") ?? "");
  if (known) return ok("overlay", "available");
  const loadable = host.hasModule("overlay", "ovl_fill_super");
  if (loadable === true) return ok("overlay", "a module, loaded when it is needed");
  return loadable === false
    ? fail("overlay", "the kernel has no overlay file system", "use a kernel with CONFIG_OVERLAY_FS")
    : warn("overlay", "not loaded, and the kernel's modules are not here", "load it: modprobe overlay");
}

function cgroups(host: HostFiles): Finding {
  const name = "cgroups";
  const wanted = ["cpu", "cpuset", "memory", "pids"];
  const root = "/sys/fs/cgroup";
  const unified = host.read(`${root}/cgroup.controllers`);
  const mounted = host.list(root).flatMap((folder) => folder.split(","));
  const hybrid = unified === undefined && host.exists(`${root}/unified/cgroup.controllers`);
  const mode = unified !== undefined ? "v2" : hybrid ? "v1 with v2 beside it" : "v1";
  if (unified === undefined && !wanted.some((controller) => mounted.includes(controller))) {
    return fail(name, "none are mounted", `mount them: mount -t cgroup2 cgroup2 ${root}`);
  }
  const has = unified === undefined ? mounted : unified.split(/\s+/);
  const missing = wanted.filter((controller) => !has.includes(controller));
  const io = has.includes("io") || has.includes("blkio");
  const lacks = [...missing, ...(io ? [] : ["io"])];
  if (lacks.length === 0) return ok(name, `${mode}: ${wanted.join(", ")}, io`);
  return warn(
    name,
    `${mode}, without ${lacks.join(", ")}`,
    lacks.includes("memory")
      ? "limits of these are ignored: boot with cgroup_enable=memory swapaccount=1"
      : "limits of these are ignored: use a kernel that has these controllers",
  );
}

function namespaces(host: HostFiles): Finding[] {
  const missing = ["cgroup", "ipc", "mnt", "net", "pid", "uts"].filter((kind) => !host.exists(`/proc/self/ns/${kind}`));
  const users = Number(host.read("/proc/sys/user/max_user_namespaces") ?? 0);
  return [
    missing.length === 0
      ? ok("namespaces", "all that containers need")
      : fail("namespaces", `missing: ${missing.join(", ")}`, "use a kernel with CONFIG_NAMESPACES and all its kinds"),
    host.exists("/proc/self/ns/user") && users > 0
      ? ok("user namespaces", "available")
      : warn(
          "user namespaces",
          "switched off",
          "--userns and userns-remap need them: sysctl -w user.max_user_namespaces=15000",
        ),
    host.kernelIs(5, 19)
      ? ok("idmapped mounts", "available")
      : warn(
          "idmapped mounts",
          `not over overlay in ${host.kernel}`,
          "--userns needs them: use a kernel of 5.19 or newer",
        ),
  ];
}

function module(host: HostFiles, name: string, file: string, symbol: string, purpose: string): Finding {
  const has = host.hasModule(file, symbol);
  if (has === true) return ok(name, "available");
  return has === false
    ? fail(name, `the kernel has no ${file}`, `use a kernel that has it: ${purpose} need it`)
    : warn(name, `cannot tell whether the kernel has ${file}`, `if ${purpose} do not work, load it: modprobe ${file}`);
}

function bridgeFilter(host: HostFiles): Finding {
  const value = host.read("/proc/sys/net/bridge/bridge-nf-call-iptables");
  const state = value === "1" ? "on: the host's firewall sees what passes between containers of a network" : "off";
  return ok("br_netfilter", value === undefined ? "not loaded" : state);
}

function forwarding(host: HostFiles): Finding {
  const on = host.read("/proc/sys/net/ipv4/ip_forward") === "1";
  return ok("IPv4 forwarding", on ? "on" : "off: the daemon switches it on");
}

function seccomp(host: HostFiles): Finding {
  return /^Seccomp:/m.test(host.read("/proc/self/status") ?? "")
    ? ok("seccomp", "available")
    : warn(
        "seccomp",
        "the kernel has no filters",
        "containers run unfiltered: use a kernel with CONFIG_SECCOMP_FILTER",
      );
}

function apparmor(host: HostFiles): Finding {
  const enabled = host.read("/sys/module/apparmor/parameters/enabled") === "Y";
  if (!enabled) return ok("AppArmor", "not in use on this host");
  if (host.exists("/usr/sbin/apparmor_parser") || host.exists("/sbin/apparmor_parser"))
    return ok("AppArmor", "available");
  return warn("AppArmor", "apparmor_parser is missing", "containers run without a profile: apt-get install apparmor");
}
