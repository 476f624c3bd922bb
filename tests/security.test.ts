/** What a container may not do by default, tried from inside it, and what opens it. */
import { expect, test } from "bun:test";
import { readFile, readlink } from "node:fs/promises";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

type Overrides = NonNullable<ContainerOverrides["HostConfig"]>;

async function output(engine: Engine, script: string, HostConfig: Overrides = {}): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], { HostConfig });
  await box.wait();
  return (await box.logs()).stdout;
}

interface Call {
  name: string;
  /** Numbers on x86_64 and arm64; undefined where the call does not exist. */
  x64: number;
  arm64: number | undefined;
  arguments: string;
}

const call = (name: string, x64: number, arm64: number | undefined, arguments_ = "0, 0, 0, 0, 0"): Call => ({
  name,
  x64,
  arm64,
  arguments: arguments_,
});

/** Makes the calls with the host's perl, which every Debian and Ubuntu has. Answers `name: errno` (0 is success). */
async function attempt(
  engine: Engine,
  calls: readonly Call[],
  HostConfig: Overrides = {},
): Promise<Record<string, string>> {
  const lines = calls.flatMap(({ name, arguments: given, ...numbers }) => {
    const number = process.arch === "arm64" ? numbers.arm64 : numbers.x64;
    if (number === undefined) return [];
    // A child for each: what one changes must not change the next one's answer.
    return [
      `if (!fork) { $! = 0; my $r = syscall(${number}, ${given}); ` +
        `print "${name} ", ($r == -1 ? (grep { $!{$_} } keys %!)[0] : "ok"), "\\n"; exit } wait;`,
    ];
  });
  const program = `use Errno; $| = 1; ${lines.join("\n")}`;
  const box = await engine.run(
    ["/bin/sh", "-c", 'ln -s usr/lib /lib; ln -s usr/lib64 /lib64; exec /usr/bin/perl -e "$PROGRAM"'],
    {
      Env: [`PROGRAM=${program}`],
      HostConfig: { ...HostConfig, Binds: ["/usr:/usr:ro"] },
    },
  );
  await box.wait();
  const { stdout, stderr } = await box.logs();
  expect(stderr).toBe("");
  return Object.fromEntries(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ") as [string, string]),
  );
}

const CLONE_NEWUSER = "0x10000000";
const AF_INET = "2, 1, 0";
const AF_ALG = "38, 5, 0";
const AF_VSOCK = "40, 1, 0";

/** Calls with arguments that do no harm where they are let through. */
const guarded = {
  CAP_SYS_ADMIN: [
    call("unshare", 272, 97, CLONE_NEWUSER),
    call("mount", 165, 40),
    call("umount2", 166, 39),
    call("setns", 308, 268, "-1, 0"),
    call("bpf", 321, 280, "-1, 0, 0"),
    call("perf_event_open", 298, 241),
    call("fsopen", 430, 430),
    call("quotactl", 179, 60, "-1, 0, 0, 0"),
  ],
  CAP_SYS_BOOT: [call("reboot", 169, 142)],
  CAP_SYS_MODULE: [call("delete_module", 176, 106)],
  CAP_SYS_TIME: [call("clock_settime", 227, 112, "-1, 0")],
  CAP_SYS_PTRACE: [call("kcmp", 312, 272, "0, 0, -1, 0, 0")],
  CAP_DAC_READ_SEARCH: [call("open_by_handle_at", 304, 265, "-1, 0, 0")],
  CAP_SYS_RAWIO: [call("iopl", 172, undefined, "0")],
  CAP_SYSLOG: [call("syslog", 103, 116, "-1, 0, 0")],
} as const;

const never = [
  call("keyctl", 250, 219, "0, -4, 0"),
  call("add_key", 248, 217),
  call("request_key", 249, 218),
  call("userfaultfd", 323, 282),
  call("io_uring_setup", 425, 425),
  call("swapon", 167, 224),
  call("kexec_load", 246, 104),
  call("socket-alg", 41, 198, AF_ALG),
  call("socket-vsock", 41, 198, AF_VSOCK),
  call("personality-no-randomize", 135, 92, "0x40000"),
];

const allowed = [
  call("socket-inet", 41, 198, AF_INET),
  call("personality-query", 135, 92, "0xffffffff"),
  call("ptrace-traceme", 101, 117, "0, 0, 0, 0"),
  call("getpid", 39, 172),
];

test("system calls that reach the host are refused, and each capability opens its own", async () => {
  await using engine = await startEngine();
  const all = Object.values(guarded).flat();
  const plain = await attempt(engine, [
    ...all,
    ...never,
    ...allowed,
    call("clone3", 435, 435),
    call("unknown", 5000, 5000),
  ]);
  const { clone3, unknown, ...rest } = plain;
  // A program must take them for missing ones, and use older calls.
  expect({ clone3, unknown }).toEqual({ clone3: "ENOSYS", unknown: "ENOSYS" });
  const expected = [
    ...[...all, ...never].map(({ name }) => [name, "EPERM"]),
    ...allowed.map(({ name }) => [name, "ok"]),
  ];
  expect(rest).toEqual(Object.fromEntries(expected.filter(([name]) => name !== "iopl" || process.arch === "x64")));

  for (const [capability, calls] of Object.entries(guarded)) {
    const opened = await attempt(engine, calls, { CapAdd: [capability] });
    for (const [name, answer] of Object.entries(opened)) expect(`${name} ${answer}`).not.toBe(`${name} EPERM`);
    // What no capability opens stays shut.
    if (capability === "CAP_SYS_ADMIN") {
      expect(Object.values(await attempt(engine, never, { CapAdd: [capability] }))).toEqual(never.map(() => "EPERM"));
    }
  }
});

test("privileged opens the filter, and so does seccomp=unconfined without more capabilities", async () => {
  await using engine = await startEngine();
  const wanted = ["keyctl", "personality-no-randomize"];
  const probes = [...never.filter(({ name }) => wanted.includes(name)), call("unshare", 272, 97, "0x20000")];
  const privileged = await attempt(engine, probes, { Privileged: true });
  expect(Object.values(privileged)).not.toContain("EPERM");
  const unconfined = await attempt(engine, probes, { SecurityOpt: ["seccomp=unconfined"] });
  expect(unconfined).toEqual({ keyctl: "ok", "personality-no-randomize": "ok", unshare: "EPERM" });
});

test("a seccomp profile of the user's replaces the default, and a broken one is refused", async () => {
  await using engine = await startEngine();
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
  };
  const SecurityOpt = [`seccomp=${JSON.stringify(profile)}`];
  expect(await output(engine, "mkdir /x", { SecurityOpt })).toBe(
    "mkdir: can't create directory '/x': Function not implemented\n",
  );
  await expect(output(engine, "true", { SecurityOpt: ["seccomp={"] })).rejects.toMatchObject({ status: 400 });
});

test("kernel interfaces are hidden or read-only", async () => {
  await using engine = await startEngine();
  const mounts = await output(engine, "cut -d ' ' -f 2-4 /proc/mounts");
  for (const line of [
    "/proc proc rw,nosuid,nodev,noexec,relatime",
    "/sys sysfs ro,nosuid,nodev,noexec,relatime",
    "/dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime",
    "/proc/sys proc ro,",
    "/proc/bus proc ro,",
    "/proc/irq proc ro,",
  ]) {
    expect(mounts).toContain(`\n${line}`);
  }
  expect(mounts).toMatch(/\n\/dev tmpfs rw,nosuid,.*mode=755/);
  expect(mounts).toMatch(/\n\/dev\/pts devpts rw,nosuid,noexec,.*gid=5,mode=620,ptmxmode=666/);
  expect(mounts).toMatch(/\n\/dev\/shm tmpfs rw,nosuid,nodev,noexec,.*size=65536k/);
  expect(mounts).toMatch(/\n\/sys\/fs\/cgroup\S* cgroup2? ro,/);
  const writes = "echo x >/proc/sys/kernel/core_pattern; echo x >/proc/sysrq-trigger; echo x >/sys/kernel/x";
  expect(await output(engine, writes)).toMatch(
    /^sh: can't create \/proc\/sys\/kernel\/core_pattern: Read-only file system\nsh: can't create \/proc\/sysrq-trigger: (Read-only file system|nonexistent directory)\n/,
  );
  const masked =
    "cat /proc/interrupts /proc/keys /proc/timer_list 2>/dev/null; ls -A /sys/firmware /proc/acpi 2>/dev/null | grep -v :";
  expect((await output(engine, masked)).trim()).toBe("");
  expect(
    await output(engine, masked, { SecurityOpt: ["systempaths=unconfined"], MaskedPaths: [], ReadonlyPaths: [] }),
  ).toContain("CPU0");
  expect(await output(engine, "grep -E ' /(sys|proc/sys) ' /proc/mounts", { Privileged: true })).toMatch(
    /^sysfs \/sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\n$/,
  );
});

test("capabilities are named with and without their prefix, and unknown ones refused", async () => {
  await using engine = await startEngine();
  const effective = async (HostConfig: Overrides) =>
    BigInt(`0x${(await output(engine, "grep CapEff /proc/self/status | cut -f 2", HostConfig)).trim()}`);
  const bit = (number: number) => 1n << BigInt(number);
  const byDefault = 0xa80425fbn;
  expect(await effective({})).toBe(byDefault);
  expect(await effective({ CapAdd: ["net_admin"], CapDrop: ["CAP_MKNOD"] })).toBe((byDefault | bit(12)) & ~bit(27));
  expect(await effective({ CapDrop: ["ALL"], CapAdd: ["CAP_NET_RAW", "CHOWN"] })).toBe(bit(13) | bit(0));
  const all = await effective({ CapAdd: ["ALL"] });
  expect(all & byDefault).toBe(byDefault);
  expect(await effective({ CapAdd: ["all"], CapDrop: ["SYS_ADMIN"] })).toBe(all & ~bit(21));
  await expect(effective({ CapAdd: ["nonsense"] })).rejects.toMatchObject({
    status: 400,
    message: 'invalid CapAdd: unknown capability: "CAP_NONSENSE"',
  });
});

test("no new privileges, and the options that mean nothing here", async () => {
  await using engine = await startEngine();
  const show = (SecurityOpt: string[]) => output(engine, "grep NoNewPrivs /proc/self/status", { SecurityOpt });
  expect(await show([])).toBe("NoNewPrivs:\t0\n");
  expect(await show(["no-new-privileges"])).toBe("NoNewPrivs:\t1\n");
  expect(await show(["no-new-privileges:false"])).toBe("NoNewPrivs:\t0\n");
  expect(await show(["label=disable"])).toBe("NoNewPrivs:\t0\n");
  await expect(show(["bogus=1"])).rejects.toMatchObject({
    status: 400,
    message: 'invalid --security-opt 2: "bogus=1"',
  });
  const { Warnings } = await engine.wire.json<{ Warnings: string[] }>("POST", "/containers/create", {
    Image: "berth-test",
    HostConfig: { SecurityOpt: ["label=type:x"] },
  });
  expect(Warnings).toEqual(["SELinux labels are not supported: label=type:x discarded."]);
});

test("name spaces are the container's own unless it joins the host's or another's", async () => {
  await using engine = await startEngine();
  const kinds = ["ipc", "mnt", "net", "pid", "uts"];
  const look = `for n in ${kinds.join(" ")}; do readlink /proc/self/ns/$n; done`;
  const host = await Promise.all(kinds.map(async (kind) => readlink(`/proc/self/ns/${kind}`)));
  const inside = (await output(engine, look)).trim().split("\n");
  for (const link of inside) expect(host).not.toContain(link);
  const joined = await output(engine, look, { IpcMode: "host", NetworkMode: "host", PidMode: "host", UTSMode: "host" });
  expect(
    joined
      .trim()
      .split("\n")
      .filter((link) => host.includes(link)),
  ).toEqual(host.filter((link) => !link.startsWith("mnt")));
  await engine.run(["sleep", "600"], { name: "other", HostConfig: { IpcMode: "shareable" } });
  const of = async (box: string) =>
    (await output(engine, "readlink /proc/self/ns/ipc /proc/self/ns/pid", { IpcMode: box, PidMode: box })).trim();
  expect(await of("container:other")).toBe(await of("container:other"));
  expect(await output(engine, "echo shared >/dev/shm/note", { IpcMode: "container:other" })).toBe("");
  expect(
    await output(engine, "cat /dev/shm/note; ps | grep -c 'sleep 60[0]'", {
      IpcMode: "container:other",
      PidMode: "container:other",
    }),
  ).toBe("shared\n1\n");
});

test("clocks of its own begin with the container, for its execs too", async () => {
  await using engine = await startEngine();
  const uptime = (text: string) => Number(text.split(" ")[0]);
  for (const Runtime of ["crun", "runc"].filter((program) => Bun.which(program) !== null)) {
    const HostConfig = { Runtime, SecurityOpt: ["time=private"] };
    const box = await engine.run(["sh", "-c", "cat /proc/uptime; date +%s; exec sleep 600"], { HostConfig });
    await until("it has told the time", async () => (await box.logs()).stdout.split("\n").length > 2);
    const [up = "", date = ""] = (await box.logs()).stdout.split("\n");
    expect(uptime(up)).toBeLessThan(5);
    // The time of day is everybody's.
    expect(Math.abs(Number(date) - Date.now() / 1000)).toBeLessThan(60);
    const inside = (
      await box.exec(["sh", "-c", "readlink /proc/1/ns/time; readlink /proc/self/ns/time; cat /proc/uptime"])
    ).stdout;
    const [first, second, now = ""] = inside.split("\n");
    expect(second).toBe(first ?? "");
    expect(first).not.toBe(await readlink("/proc/self/ns/time"));
    expect(uptime(now)).toBeLessThan(uptime(await readFile("/proc/uptime", "utf8")));
    expect(await box.exec(["true"], { Tty: true })).toMatchObject({ code: 0 });
    await engine.kill9();
    await engine.start();
    expect((await box.exec(["readlink", "/proc/self/ns/time"])).stdout.trim()).toBe(first ?? "");
    await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
    await engine.wire.bytes("POST", `/containers/${box.id}/unpause`);
    await box.stop(0);
    expect((await box.inspect()).State.ExitCode).toBe(137);
  }
  expect(uptime(await output(engine, "cat /proc/uptime"))).toBeGreaterThanOrEqual(1);
});

test("the place in the host's control groups is hidden in a name space of its own", async () => {
  await using engine = await startEngine();
  const show = "cat /proc/self/cgroup; readlink /proc/self/ns/cgroup";
  const own = await output(engine, show, { CgroupnsMode: "private" });
  const shared = await output(engine, show, { CgroupnsMode: "host" });
  expect(own).not.toMatch(/[0-9a-f]{64}/);
  expect(shared).toMatch(/\/berth\/[0-9a-f]{64}$/m);
  const host = await readlink("/proc/self/ns/cgroup");
  expect([own.trim().split("\n").at(-1), shared.trim().split("\n").at(-1)].map((link) => link === host)).toEqual([
    false,
    true,
  ]);
});

test("what no container can have is refused", async () => {
  await using engine = await startEngine();
  const refusals: [Overrides, string][] = [
    [{ PidMode: "private" }, "invalid PID mode: private"],
    [{ PidMode: "container:" }, "invalid PID mode: container:"],
    [{ IpcMode: "x" }, "invalid IPC mode: x"],
    [{ UTSMode: "container:other" }, "invalid UTS mode: container:other"],
    [{ CgroupnsMode: "x" as "host" }, "invalid cgroup namespace mode: x"],
    [{ PidMode: "container:absent" }, "No such container: absent"],
    [{ SecurityOpt: ["systempaths=x"] }, 'invalid --security-opt 2: "systempaths=x"'],
    [{ SecurityOpt: ["no-new-privileges=x"] }, 'invalid --security-opt 2: "no-new-privileges=x"'],
    [{ SecurityOpt: ["time=x"] }, 'invalid --security-opt 2: "time=x"'],
    [{ CapDrop: ["x"] }, 'invalid CapDrop: unknown capability: "CAP_X"'],
  ];
  for (const [HostConfig, message] of refusals) {
    await expect(engine.create(["true"], { HostConfig })).rejects.toMatchObject({ status: 400, message });
  }
});
