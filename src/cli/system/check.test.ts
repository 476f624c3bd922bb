import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Finding } from "./check/finding.ts";
import { HostFiles } from "./check/host.ts";
import { kernelFindings } from "./check/kernel.ts";
import { programFindings } from "./check/programs.ts";
import { storageFindings, userFindings } from "./check/storage.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "berth-check-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function goodHost(): void {
  write("/proc/filesystems", "nodev\tsysfs\n\text4\nnodev\toverlay\n");
  write("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
  for (const kind of ["cgroup", "ipc", "mnt", "net", "pid", "uts", "user"]) write(`/proc/self/ns/${kind}`);
  write("/proc/sys/user/max_user_namespaces", "15000\n");
  write("/proc/self/status", "CapEff:\t000001ffffffffff\nSeccomp:\t0\n");
  write("/lib/modules/6.1.0/modules.builtin", "kernel/net/netfilter/nf_conntrack.ko\nkernel/net/bridge/bridge.ko\n");
  write("/lib/modules/6.1.0/modules.dep", "kernel/net/netfilter/nf_tables.ko.xz: x\nkernel/drivers/net/veth.ko:\n");
  write("/etc/group", "root:x:0:\ndocker:x:99:\n");
}

const problems = (findings: readonly Finding[]): string[] =>
  findings.filter(({ status }) => status !== "ok").map(({ status, name }) => `${status} ${name}`);

test("a host with everything has nothing to complain of", () => {
  goodHost();
  const host = new HostFiles(root, "6.1.0");
  expect(problems([...kernelFindings(host), ...userFindings(host, 0)])).toEqual([]);
});

test("what is built in shows by its functions where the modules are not there", () => {
  goodHost();
  rmSync(join(root, "lib"), { recursive: true });
  const host = new HostFiles(root, "6.1.0");
  expect(problems(kernelFindings(host))).toEqual([
    "warn nftables",
    "warn connection tracking",
    "warn bridge",
    "warn veth",
  ]);
  write("/proc/kallsyms", "0 t nf_tables_newtable\n0 T nf_conntrack_in\n0 T br_add_if\n0 t veth_newlink\n");
  expect(problems(kernelFindings(host))).toEqual([]);
});

test.each([
  ["/proc/filesystems", "\text4\n", "fail overlay"],
  ["/sys/fs/cgroup/cgroup.controllers", "cpu cpuset io pids", "warn cgroups"],
  ["/proc/sys/user/max_user_namespaces", "0", "warn user namespaces"],
  ["/proc/self/status", "Name: x\n", "warn seccomp"],
  ["/sys/module/apparmor/parameters/enabled", "Y", "warn AppArmor"],
  ["/lib/modules/6.1.0/modules.dep", "kernel/drivers/net/veth.ko:\n", "fail nftables"],
])("with %s as %j there is: %s", (file, text, problem) => {
  goodHost();
  write(file, text);
  expect(problems(kernelFindings(new HostFiles(root, "6.1.0")))).toEqual([problem]);
});

test("every complaint comes with a remedy", async () => {
  const host = new HostFiles(root, "4.19.0");
  const findings = [
    ...kernelFindings(host),
    ...(await programFindings(host, root)),
    ...storageFindings(host, "/var/lib/berth"),
    ...userFindings(host, 1000),
  ];
  expect(problems(findings)).toContain("fail kernel");
  expect(problems(findings)).toContain("fail cgroups");
  expect(problems(findings)).toContain("fail libnftables1");
  for (const { status, remedy } of findings) expect(remedy !== undefined).toBe(status !== "ok");
});

test("a user without rights is told so; root without the needed ones cannot run the daemon", () => {
  goodHost();
  const host = new HostFiles(root, "6.1.0");
  expect(problems(userFindings(host, 1000))).toEqual(["warn privileges"]);
  write("/proc/self/status", "CapEff:\t00000000a80425fb\n");
  expect(problems(userFindings(host, 0))).toEqual(["fail privileges"]);
});
