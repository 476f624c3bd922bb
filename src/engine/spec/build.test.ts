import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { buildSpec } from "./build.ts";
import { defaultCapabilities } from "./capabilities.ts";
import { Sandbox } from "./testing.ts";

const box = new Sandbox();
afterAll(() => box[Symbol.dispose]());

function bind(source: string, destination: string, changes: Partial<ResolvedMount> = {}): ResolvedMount {
  return {
    type: "bind",
    destination,
    source,
    mode: "",
    readOnly: false,
    propagation: "rprivate",
    listed: true,
    bind: {
      createSource: false,
      nonRecursive: false,
      readOnlyNonRecursive: false,
      readOnlyForceRecursive: false,
      explicitPropagation: false,
    },
    ...changes,
  };
}

function capabilityMask(name: string, text: string): bigint {
  return BigInt(`0x${new RegExp(`${name}:\\s*(\\w+)`).exec(text)?.[1]}`);
}

test("a process has Docker's default confinement", () => {
  const status = box.sh("cat /proc/self/status");
  expect(capabilityMask("CapBnd", status)).toBe(0xa80425fbn);
  expect(capabilityMask("CapEff", status)).toBe(0xa80425fbn);
  expect(capabilityMask("CapInh", status)).toBe(0n);
  expect(capabilityMask("CapAmb", status)).toBe(0n);
  expect(status).toMatch(/Seccomp:\s*2/);
  expect(status).toMatch(/NoNewPrivs:\s*0/);
  expect(box.sh("hostname; pwd; cat /proc/self/environ | tr '\\0' '\\n'").split("\n").toSorted()).toEqual([
    "/",
    "HOME=/root",
    "HOSTNAME=box",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PWD=/",
    "SHLVL=1",
    "box",
  ]);
});

test("a user other than root holds no capability, and its groups", () => {
  const user = { uid: 1000, gid: 1000, additionalGids: [1000, 44], home: "/home/u", username: "u" };
  const status = box.sh("cat /proc/self/status; id -G; echo $HOME", {}, { user });
  for (const name of ["CapEff", "CapPrm", "CapInh", "CapAmb"]) expect(capabilityMask(name, status)).toBe(0n);
  expect(capabilityMask("CapBnd", status)).toBe(0xa80425fbn);
  expect(status).toEndWith("1000 44\n/home/u");
});

test("a user enters a working directory that only root may", () => {
  const user = { uid: 1000, gid: 1000, additionalGids: [1000], home: "/", username: "" };
  mkdirSync(join(box.rootfs, "closed"), { mode: 0o700 });
  const run = box.run(box.input({ Cmd: ["pwd"], WorkingDir: "/closed" }, {}, { user }));
  expect(run).toMatchObject({ exitCode: 0, stdout: "/closed\n" });
});

test("a missing working directory is made", () => {
  expect(box.run(box.input({ Cmd: ["pwd"], WorkingDir: "/deep/er" })).stdout).toBe("/deep/er\n");
});

test("capabilities are added and dropped", () => {
  const mask = (changes: object): bigint => capabilityMask("CapEff", box.sh("cat /proc/self/status", changes));
  expect(mask({ CapDrop: ["ALL"], CapAdd: ["net_bind_service"] })).toBe(1n << 10n);
  expect(mask({ CapDrop: ["CHOWN"] })).toBe(0xa80425fan);
  const all = mask({ CapAdd: ["ALL"], CapDrop: ["CAP_SYS_ADMIN"] });
  expect(all & (1n << 21n)).toBe(0n);
  expect(all & (1n << 12n)).not.toBe(0n);
  expect(mask({ Privileged: true }).toString(2).replaceAll("0", "")).toHaveLength(box.host.capabilities.length);
});

test("masked and read-only paths hold, and privileged lifts them", () => {
  const probe =
    "cat /proc/kcore | wc -c; ls /sys/firmware; echo 1 > /proc/sys/kernel/domainname || echo refused; touch /sys/x || echo ro";
  expect(box.sh(`(${probe.replace("| wc -c", "")}) 2>&1`)).toContain("refused");
  expect(box.sh("ls /sys/firmware")).toBe("");
  const mounts = box.sh("cat /proc/mounts", { Privileged: true });
  expect(mounts).toMatch(/ \/sys sysfs rw/);
  expect(mounts).not.toContain(" /proc/kcore ");
  expect(box.sh("cat /proc/self/status", { Privileged: true })).toMatch(/Seccomp:\s*0/);
});

test("the default mounts are Docker's", () => {
  const mounts = box
    .sh("cat /proc/mounts")
    .split("\n")
    .map((line) => line.split(" ").slice(1, 4).join(" "));
  const find = (path: string): string => mounts.find((line) => line.startsWith(`${path} `)) ?? "";
  expect(find("/proc")).toMatch(/^\/proc proc rw,nosuid,nodev,noexec/);
  expect(find("/dev")).toMatch(/^\/dev tmpfs rw,nosuid,size=65536k,mode=755/);
  expect(find("/dev/pts")).toMatch(/gid=5,mode=620,ptmxmode=666/);
  expect(find("/sys")).toMatch(/^\/sys sysfs ro,nosuid,nodev,noexec/);
  expect(find("/dev/mqueue")).toMatch(/mqueue rw,nosuid,nodev,noexec/);
  expect(find("/dev/shm")).toMatch(/tmpfs rw,nosuid,nodev,noexec.*size=65536k/);
  const cgroups = mounts.filter((line) => /^\S+ cgroup2? /.test(line));
  expect(cgroups).not.toEqual([]);
  expect(cgroups.filter((line) => !/ ro,/.test(line))).toEqual([]);
});

test("binds, files and tmpfs appear as asked", () => {
  const source = join(box.folder, "data");
  mkdirSync(source);
  writeFileSync(join(source, "f"), "data");
  writeFileSync(join(box.folder, "hosts"), "127.0.0.1 x");
  const mounts = [
    bind(source, "/data/deep/ro", { readOnly: true }),
    bind(source, "/data"),
    {
      ...bind("", "/scratch"),
      type: "tmpfs" as const,
      tmpfs: { options: ["noexec", "nosuid", "nodev", "size=1m", "mode=700"] },
    },
  ];
  const out = box.sh(
    "cat /data/f; touch /data/deep/ro/x 2>&1; cat /etc/hosts; grep -E ' /(scratch|data)' /proc/mounts; stat -c %a /scratch",
    { ReadonlyRootfs: true },
    { mounts, files: { hosts: join(box.folder, "hosts") } },
  );
  expect(out).toContain("Read-only file system");
  expect(out).toContain("127.0.0.1 x");
  expect(out).toMatch(/\/scratch tmpfs rw,nosuid,nodev,noexec.*size=1024k,mode=700/);
  expect(out).toEndWith("700");
});

test("a read-only root keeps its devices writable", () => {
  expect(box.sh("touch /x 2>&1 || true; touch /dev/shm/y && echo fine", { ReadonlyRootfs: true })).toMatch(
    /Read-only[^]*fine/,
  );
});

test("limits reach the cgroup", () => {
  const limits = {
    Memory: 32 << 20,
    MemorySwap: 48 << 20,
    PidsLimit: 17,
    NanoCpus: 5e8,
    CpuShares: 512,
    CpusetCpus: "0",
    BlkioDeviceReadBps: [],
  };
  const read =
    box.host.cgroup.mode === "v2"
      ? "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; cat /sys/fs/cgroup/cpu.max | tr ' ' '\\n'"
      : "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us " +
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us";
  expect(box.sh(read, limits).split("\n")).toEqual([String(32 << 20), "17", "50000", "100000"]);
});

test("rlimits are set, unlimited ones too", () => {
  const Ulimits = [
    { Name: "nofile", Soft: 64, Hard: 128 },
    { Name: "core", Soft: -1, Hard: -1 },
  ];
  const limits = box.sh("cat /proc/self/limits", { Ulimits });
  expect(limits).toMatch(/Max open files +64 +128/);
  const own = box.host.capabilities.includes("CAP_SYS_RESOURCE") ? Infinity : box.host.rlimits.get("RLIMIT_CORE");
  expect(limits).toMatch(new RegExp(`Max core file size +${own === Infinity ? "unlimited +unlimited" : own}`));
});

test("an rlimit beyond the daemon's own is cut with a warning", () => {
  const host = { ...box.host, capabilities: defaultCapabilities, rlimits: new Map([["RLIMIT_NOFILE", 1000]]) };
  const { hostConfig } = box.input({}, { Ulimits: [{ Name: "nofile", Soft: 2000, Hard: 4000 }] });
  const { spec, warnings } = buildSpec({ ...box.input({ Cmd: ["x"] }), hostConfig }, host);
  expect(spec.process.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft: 1000, hard: 1000 }]);
  expect(warnings).toEqual(["ulimit nofile was cut to 1000: the daemon lacks CAP_SYS_RESOURCE to raise it"]);
});

test("no capability is granted that the daemon lacks", () => {
  const host = { ...box.host, capabilities: ["CAP_CHOWN", "CAP_KILL"] };
  const grant = (changes: object): string[] =>
    buildSpec(box.input({ Cmd: ["x"] }, changes), host).spec.process.capabilities.bounding;
  expect(grant({})).toEqual(["CAP_CHOWN", "CAP_KILL"]);
  expect(grant({ Privileged: true })).toEqual(["CAP_CHOWN", "CAP_KILL"]);
  expect(grant({ CapAdd: ["ALL"], CapDrop: ["KILL"] })).toEqual(["CAP_CHOWN"]);
});

test("devices: the default list, one more, a folder, and all of them", () => {
  expect(box.sh("ls /dev | grep -v core | tr '\\n' ' '")).toBe(
    "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero",
  );
  const Devices = [{ PathOnHost: "/dev/null", PathInContainer: "/dev/nothing", CgroupPermissions: "rw" }];
  expect(box.sh("stat -c '%t:%T %F' /dev/nothing; cat /dev/nothing", { Devices })).toBe("1:3 character special file");
  const folder = [{ PathOnHost: "/dev/net", PathInContainer: "/dev/web", CgroupPermissions: "rwm" }];
  expect(box.sh("ls /dev/web", { Devices: folder })).toContain("tun");
  expect(box.sh("ls /dev", { Privileged: true })).toContain("loop0");
  expect(() =>
    box.sh("true", { Devices: [{ PathOnHost: "/nope", PathInContainer: "", CgroupPermissions: "" }] }),
  ).toThrow('error gathering device information while adding custom device "/nope"');
});

test("namespaces: the host's, another's, its own", () => {
  const link = (name: string): string => `stat -Lc %i /proc/self/ns/${name}`;
  const hostInode = (name: string): string =>
    Bun.spawnSync(["stat", "-Lc", "%i", `/proc/self/ns/${name}`])
      .stdout.toString()
      .trim();
  expect(box.sh(link("pid"))).not.toBe(hostInode("pid"));
  expect(box.sh(link("pid"), { PidMode: "host" })).toBe(hostInode("pid"));
  expect(box.sh(link("ipc"), { IpcMode: "host" })).toBe(hostInode("ipc"));
  expect(box.sh(link("uts"), { UTSMode: "host" })).toBe(hostInode("uts"));
  expect(box.sh(link("net"), { NetworkMode: "host" }, { namespaces: { network: "host" } })).toBe(hostInode("net"));
  expect(box.sh(link("cgroup"), { CgroupnsMode: "private" })).not.toBe(hostInode("cgroup"));
  const joined = { network: { path: `/proc/${process.pid}/ns/net` } };
  expect(box.sh(link("net"), {}, { namespaces: joined })).toBe(hostInode("net"));
});

test("sysctls, domain name and shared memory", () => {
  const read = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni /proc/sys/kernel/domainname";
  const run = box.run(
    box.input(
      { Cmd: ["sh", "-c", `${read}; grep shm /proc/mounts`], Domainname: "example.com" },
      {
        Sysctls: { "kernel.shmmni": "77" },
        ShmSize: 1 << 20,
      },
    ),
  );
  expect(run.stdout).toMatch(/^0\n77\nexample\.com\nshm \/dev\/shm tmpfs .*size=1024k/);
});

test("--init runs the command below an init", () => {
  const run = box.run(box.input({ Cmd: ["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; echo $$"] }, { Init: true }));
  expect(run.stdout).toMatch(/^\/sbin\/docker-init -- sh -c .* [2-9]\n$/);
  expect(() => buildSpec(box.input({ Cmd: ["x"] }, { Init: true }), { ...box.host, init: undefined })).toThrow(
    "cannot use --init: no static init program is installed; install the package tini or catatonit",
  );
});

test("no-new-privileges and OOM score", () => {
  const out = box.sh("grep NoNew /proc/self/status; cat /proc/self/oom_score_adj", {
    SecurityOpt: ["no-new-privileges"],
    OomScoreAdj: 321,
  });
  expect(out).toMatch(/NoNewPrivs:\s*1\n321$/);
});

test("other runtimes run the same spec", () => {
  const run = box.run(box.input({ Cmd: ["grep", "Seccomp:", "/proc/self/status"] }), "runc");
  expect(run.stdout).toMatch(/Seccomp:\s*2/);
});
