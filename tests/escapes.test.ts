/**
 * Ways out of containers that worked once, in this or another engine, each of which has to fail here.
 *
 * Where an attempt would damage the host if it worked, it writes what is there already: it may succeed, and the test
 * fails, but nothing is broken. What system calls and capabilities open is in security.test.ts, what files, links and
 * archives could do in escapes-by-files.test.ts.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { rewrite, secretFolder, tell } from "./harness/escape.ts";
import { until } from "./harness/process.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

type Overrides = NonNullable<ContainerOverrides["HostConfig"]>;

interface Attempt {
  name: string;
  script: string;
  overrides?: ContainerOverrides;
  /** What must be said, beside that nothing escaped. */
  says: RegExp;
}

const everything: Overrides = {
  UsernsMode: "auto",
  CapAdd: ["ALL"],
  SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
};

const attempts: Attempt[] = [
  {
    name: "core_pattern names the host's crash handler",
    script: rewrite("/proc/sys/kernel/core_pattern"),
    says: /Read-only file system/,
  },
  {
    name: "core_pattern again, with every capability in a user namespace and /proc/sys made writable",
    script: `mount -o remount,rw,bind /proc/sys; ${rewrite("/proc/sys/kernel/core_pattern")}`,
    overrides: { HostConfig: everything },
    says: /Permission denied|Operation not permitted/,
  },
  {
    name: "/proc/sys/kernel/modprobe and hotplug name programs of the host",
    script:
      "cd /proc/sys/kernel; for f in modprobe hotplug poweroff_cmd core_pattern; do [ ! -e $f ] || dd if=/dev/null of=$f conv=notrunc && [ -e $f ] && echo ESCAPED; done",
    says: /(Read-only file system[^]*)+/,
  },
  {
    name: "sysrq",
    script: "echo h >/proc/sysrq-trigger && echo ESCAPED",
    says: /Read-only file system|nonexistent directory/,
  },
  {
    name: "/sys is for reading",
    script:
      "for f in $(find /sys/kernel /sys/module -maxdepth 3 -type f -perm -200 | head -50); do dd if=/dev/null of=$f conv=notrunc && echo ESCAPED $f; done; dd if=/dev/null of=/sys/kernel/mm/ksm/run conv=notrunc",
    says: /Read-only file system/,
  },
  {
    name: "release_agent of a cgroup of the host (CVE-2022-0492)",
    script:
      "mkdir /tmp/c; mount -t cgroup -o rdma c /tmp/c || mount -t cgroup -o memory c /tmp/c; cd /tmp/c && " +
      "ls release_agent && : >>release_agent && echo ESCAPED",
    says: /permission denied/,
  },
  {
    name: "release_agent with every capability in namespaces of one's own",
    script:
      "mkdir /tmp/c; for h in rdma memory pids; do unshare -C mount -t cgroup -o $h c /tmp/c && break; done; " +
      `if [ -e /tmp/c/release_agent ]; then cd /tmp/c; ${rewrite("release_agent")}; else echo no agent; fi`,
    overrides: { HostConfig: everything },
    says: /Permission denied|Operation not permitted|no agent/,
  },
  {
    name: "masked and read-only paths cannot be taken off",
    script:
      "umount /proc/keys; umount /proc/sys; umount /sys/firmware; mount -o remount,rw /proc/sys; grep -c ' /proc/sys proc ro' /proc/mounts",
    says: /\n1\n$/,
  },
  {
    name: "a disk of the host by a node of one's own making",
    script:
      "mknod /disk b 8 0; mknod /ram c 1 1; mknod /log c 1 11; for n in /disk /ram /log; do dd if=$n of=/dev/null bs=1 count=1 && echo ESCAPED; done",
    says: /(Operation not permitted[^]*){3}/,
  },
  {
    name: "the host's processes are not there",
    script: "for p in /proc/[0-9]*; do echo ${p#/proc/}; done | sort -n | tail -1; kill -0 999999",
    says: /^\d{1,2}\n/,
  },
  {
    name: "abstract sockets of the host",
    script: "grep -v Num /proc/net/unix | wc -l",
    says: /^0\n$/,
  },
  {
    name: "a working directory above the root",
    script: "ls -d bin etc && cat /proc/self/mountinfo >/dev/null; ls -d ../../../../../../../var/tmp && echo ESCAPED",
    overrides: { WorkingDir: "/../../.." },
    says: /^bin\netc\n/,
  },
  {
    name: "a volume over /proc, which would leave the process without its confinement (CVE-2019-16884)",
    script: rewrite("/proc/sys/kernel/core_pattern"),
    overrides: { HostConfig: { Binds: ["over:/proc"] } },
    says: /^refused: cannot mount at \/proc: "\/proc" is inside \/proc$/,
  },
  {
    name: "a read-only path that a bind mount uncovers",
    script: rewrite("/mnt/sys/kernel/core_pattern"),
    overrides: { HostConfig: { Binds: ["/proc:/mnt:ro"] } },
    says: /Read-only file system/,
  },
  {
    name: "an environment made for the runtime",
    script: "env | grep -c -E 'evil|LISTEN_FDS=3'",
    overrides: {
      Env: ["LD_PRELOAD=/evil.so", "_LIBCONTAINER_INITPIPE=evil", "LISTEN_FDS=3", "X=evil\nLD_AUDIT=/evil.so"],
    },
    says: /^5\n$/,
  },
];

for (const { name, script, overrides, says } of attempts) {
  test(name, async () => {
    const told = await tell(engine, script, overrides);
    expect(told).not.toContain("ESCAPED");
    expect(told).toMatch(says);
  });
}

test("no descriptor of the runtime, the monitor or the daemon reaches a container or an exec", async () => {
  const standard = ["0", "1", "2"];
  const open = async (pid: number) => {
    // Till then the runtime prepares it.
    await until("the program runs", () => readlinkSync(`/proc/${pid}/exe`).endsWith("/busybox"));
    return readdirSync(`/proc/${pid}/fd`).toSorted();
  };
  for (const runtime of ["crun", "runc"].filter((program) => Bun.which(program) !== null)) {
    for (const Tty of [false, true]) {
      const HostConfig = { Runtime: runtime };
      const box = await engine.run(["sleep", "600"], { Tty, OpenStdin: true, HostConfig });
      expect({ runtime, Tty, open: await open((await box.inspect()).State.Pid) }).toEqual({
        runtime,
        Tty,
        open: standard,
      });
      const id = await box.prepareExec(["sleep", "600"], { Tty });
      await engine.wire.bytes("POST", `/exec/${id}/start`, { body: { Detach: true } });
      const { Pid } = await engine.wire.json<{ Pid: number }>("GET", `/exec/${id}/json`);
      expect({ runtime, Tty, open: await open(Pid) }).toEqual({ runtime, Tty, open: standard });
      await box.remove({ force: true });
    }
  }
});

test("a working directory that is a descriptor leads nowhere (CVE-2024-21626)", async () => {
  const marker = join(engine.dataRoot, "content").slice(1);
  const up = "../".repeat(12);
  const look = `ls -d ${up}${marker} ${up}${engine.execRoot.slice(1)} && echo ESCAPED`;
  const box = await engine.run(["sleep", "600"]);
  for (let fd = 3; fd < 12; fd++) {
    const WorkingDir = `/proc/self/fd/${fd}`;
    expect(await tell(engine, look, { WorkingDir })).not.toContain("ESCAPED");
    const inside = await box.exec(["sh", "-c", look], { WorkingDir });
    expect(inside.stdout).not.toContain("ESCAPED");
    expect(inside.code).not.toBe(0);
  }
});

test("what the runtime holds open while it enters a container cannot be borrowed (CVE-2024-21626)", async () => {
  const up = "/../../../../../../../..";
  const look =
    "for f in /proc/[0-9]*/fd/* /proc/[0-9]*/cwd /proc/[0-9]*/root; do " +
    `[ -e $f${up}${engine.socket} ] && echo ESCAPED $f; done; n=$((n + 1)); [ -e /tmp/end ] && break`;
  const box = await engine.run(["sh", "-c", `n=0; while :; do ${look}; done 2>&1; echo looked $n times`]);
  for (let i = 0; i < 15; i++) await box.exec(["true"], { WorkingDir: "/tmp", Tty: i % 2 === 0 });
  await box.exec(["touch", "/tmp/end"]);
  await box.wait();
  expect((await box.logs()).stdout).toMatch(/^looked \d+ times\n$/);
});

/** Waits for a program that is not busybox, takes hold of its file, ends it, and writes its first byte into it again. */
const takeProgram = [
  "while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in *busybox|'') ;; *) break 2; esac; done; done",
  "exec 9<$p/exe && echo HELD",
  "kill -9 ${p#/proc/}; while [ -e $p/exe ] && readlink $p/exe >/dev/null; do usleep 10000; done",
  // The kernel lets go of a program's file a moment after the process is gone.
  "for try in $(seq 100); do",
  "  said=$(dd if=/proc/self/fd/9 of=/proc/self/fd/9 bs=1 count=1 conv=notrunc 2>&1) && echo ESCAPED && break",
  "  case $said in *busy*) usleep 10000 ;; *) break ;; esac; done; echo $said",
].join("\n");

test("the runtime's program cannot be overwritten from inside (CVE-2019-5736)", async () => {
  using secret = secretFolder(engine);
  const folder = secret.path;
  for (const runtime of ["crun", "runc"].filter((program) => Bun.which(program) !== null)) {
    writeFileSync(join(folder, "sleep"), await Bun.file("/usr/bin/sleep").bytes(), { mode: 0o755 });
    const Binds = ["/usr:/usr:ro", `${folder}:/writable`];
    // The runtime waits for ever to be told what to run.
    const setUp = "ln -s usr/lib /lib; ln -s usr/lib64 /lib64; mkdir /b; mkfifo /b/config.json; exec sleep 600";
    const HostConfig = { Runtime: runtime, Binds };
    const box = await engine.run(["sh", "-c", setUp], { Env: ["PATH=/bin"], HostConfig });
    await until("it is set up", async () => (await box.exec(["ls", "/b/config.json"])).code === 0);
    const attack = async (...command: string[]) => {
      const held = box.exec(["sh", "-c", takeProgram]);
      await box.exec(command);
      return (await held).stdout;
    };
    const told = await attack("/proc/self/exe", "--root", "/tmp/state", "run", "--bundle", "/b", "x");
    expect({ runtime, told }).toEqual({ runtime, told: expect.stringMatching(/^HELD\n/) as string });
    expect(told).not.toContain("ESCAPED");
    // The very same succeeds with a program that lies open.
    expect(await attack("/writable/sleep", "600")).toContain("ESCAPED");
  }
});
