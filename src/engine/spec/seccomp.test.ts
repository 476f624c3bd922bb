import { afterAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scmpArch, withSyscallNumbers } from "#linux/libseccomp.ts";
import { buildSpec } from "./build.ts";
import { defaultCapabilities } from "./capabilities.ts";
import { specJson } from "./json.ts";
import { compileFilter } from "./seccomp-filter.ts";
import { defaultProfile } from "./seccomp.ts";
import { lastKnownNumber, unifiedNumbers } from "./seccomp-table.ts";
import { Sandbox } from "./testing.ts";

const ALLOW = 0x7fff0000;
const EPERM = 0x50001;
const ENOSYS = 0x50026;
const X64 = scmpArch.SCMP_ARCH_X86_64;
const X86 = scmpArch.SCMP_ARCH_X86;

const box = new Sandbox();
afterAll(() => box[Symbol.dispose]());

function compile(capabilities: readonly string[], arch = "x64"): Uint8Array {
  const host = { arch, kernel: { major: 6, minor: 1 } };
  const program = withSyscallNumbers((resolve) => compileFilter(host, new Set(capabilities), resolve));
  if (program === undefined) throw new Error("libseccomp is not installed");
  return program;
}

/** What the kernel would answer: an interpreter of the instructions that filters use. */
function decide(program: Uint8Array, arch: number, nr: number, ...args: bigint[]): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, nr, true);
  data.setUint32(4, arch, true);
  args.forEach((arg, i) => data.setBigUint64(16 + 8 * i, arg, true));
  const code = new DataView(program.buffer, program.byteOffset, program.length);
  let a = 0;
  for (let pc = 0; ; pc++) {
    const [op, jt, jf, k] = [
      code.getUint16(8 * pc, true),
      code.getUint8(8 * pc + 2),
      code.getUint8(8 * pc + 3),
      code.getUint32(8 * pc + 4, true),
    ];
    if (op === 0x20) a = data.getUint32(k, true);
    else if (op === 0x54) a = (a & k) >>> 0;
    else if (op === 0x05) pc += k;
    else if (op === 0x15) pc += a === k ? jt : jf;
    else if (op === 0x25) pc += a > k ? jt : jf;
    else if (op === 0x35) pc += a >= k ? jt : jf;
    else if (op === 0x45) pc += (a & k) !== 0 ? jt : jf;
    else if (op === 0x06) return k;
    else throw new Error(`instruction ${op} at ${pc}`);
  }
}

/** The program that crun and libseccomp make of the JSON rules. */
function compiledByCrun(capabilities: readonly string[]): Uint8Array {
  const input = box.input({ Cmd: ["ls"] }, { CapDrop: ["ALL"], CapAdd: [...capabilities] });
  const { spec } = buildSpec(input, box.host);
  delete spec.annotations;
  writeFileSync(join(box.folder, "config.json"), specJson(spec));
  const root = join(box.folder, "crun");
  const crun = (...words: string[]): void => {
    // The container's process keeps what it is given open: no pipe, or this call would wait for it.
    const run = Bun.spawnSync(["crun", "--root", root, ...words], { stdio: ["ignore", "ignore", "ignore"] });
    if (run.exitCode !== 0) throw new Error(`crun ${words.join(" ")}: exit ${run.exitCode}`);
  };
  crun("create", "--bundle", box.folder, input.id);
  try {
    return readFileSync(join(root, input.id, "seccomp.bpf"));
  } finally {
    crun("delete", "--force", input.id);
  }
}

for (const capabilities of [defaultCapabilities, ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_BPF"]]) {
  test.if(process.arch === "x64")(
    `decides as libseccomp does with the JSON rules (${capabilities.length} capabilities)`,
    () => {
      const ours = compile(capabilities);
      const theirs = compiledByCrun(capabilities);
      const newer = new Set(Object.values(unifiedNumbers));
      const differences: string[] = [];
      for (const [arch, base] of [
        [X64, 0],
        [X86, 0],
        [X64, 0x40000000],
      ] as const) {
        for (let nr: number = base; nr <= base + 600; nr++) {
          // Calls that this libseccomp has no number for, and those beyond the table: ours are the right ones.
          if (newer.has(nr - base) || nr === 335 || nr - base > (base === 0 ? lastKnownNumber : 547)) continue;
          for (const arg of [0n, 1n, 8n, 38n, 39n, 40n, 41n, 0x20000n, 0x10000000n, 0x80000n]) {
            const [a, b] = [decide(ours, arch, nr, arg), decide(theirs, arch, nr, arg)];
            if (a !== b)
              differences.push(`${arch.toString(16)} ${nr} (${arg}): ${a.toString(16)} not ${b.toString(16)}`);
          }
        }
      }
      expect(differences).toEqual([]);
    },
    // Sixty thousand runs of an interpreter, and crun's compiler, on a machine that may be busy.
    60_000,
  );
}

test("calls newer than libseccomp are decided, calls newer than the table do not exist", () => {
  const program = compile(defaultCapabilities);
  expect(decide(program, X64, 452)).toBe(ALLOW); // fchmodat2
  expect(decide(program, X64, 459)).toBe(EPERM); // lsm_get_self_attr
  expect(decide(program, X64, 467)).toBe(ENOSYS);
  expect(decide(program, X86, 452)).toBe(ALLOW);
  expect(decide(program, 0x12345678, 0)).toBe(0x80000000);
});

test("arguments are compared as the kernel takes them", () => {
  const program = compile(defaultCapabilities);
  const socket = (family: bigint): number => decide(program, X64, 41, family);
  expect(socket(2n)).toBe(ALLOW);
  expect(socket(39n)).toBe(ALLOW);
  for (const denied of [38n, 40n, 0x1_0000_0028n]) expect(socket(denied)).toBe(EPERM);
  expect(decide(program, X64, 135, 0xffffffffn)).toBe(ALLOW);
  expect(decide(program, X64, 135, 0x40000n)).toBe(EPERM);
  expect(decide(program, X64, 56, 17n)).toBe(ALLOW);
  expect(decide(program, X64, 56, 0x10000000n | 17n)).toBe(EPERM);
  expect(decide(program, X64, 435)).toBe(ENOSYS); // clone3
  expect(decide(compile(["CAP_SYS_ADMIN"]), X64, 435)).toBe(ALLOW);
});

test("an arm64 program is made from its own numbers", () => {
  const program = compile(defaultCapabilities, "arm64");
  const arm64 = scmpArch.SCMP_ARCH_AARCH64;
  expect(decide(program, arm64, 64)).toBe(ALLOW); // write
  expect(decide(program, arm64, 40)).toBe(EPERM); // mount
  expect(decide(program, scmpArch.SCMP_ARCH_ARM, 4)).toBe(ALLOW); // write
  expect(decide(program, X64, 1)).toBe(0x80000000);
});

test("a container with it forks, but cannot unshare or mount; with CAP_SYS_ADMIN it can", () => {
  const probe = "(true); /bin/busybox unshare -m true 2>&1; mount -t tmpfs x /tmp 2>&1; echo done";
  expect(box.sh(probe)).toBe(
    "unshare: unshare(0x20000): Operation not permitted\nmount: permission denied (are you root?)\ndone",
  );
  expect(box.sh(probe, { CapAdd: ["SYS_ADMIN"] })).toBe("done");
  expect(box.sh(probe, { SecurityOpt: ["seccomp=unconfined"] })).toContain("Operation not permitted");
});

test("a profile of the user's is converted and enforced", () => {
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
    syscalls: [
      { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38, excludes: { caps: ["CAP_SYS_BOOT"] } },
      { name: "chmod", action: "SCMP_ACT_ERRNO", includes: { minKernel: "99.1" } },
    ],
  };
  const options = { SecurityOpt: [`seccomp=${JSON.stringify(profile)}`] };
  expect(box.sh("/bin/busybox mkdir /tmp/x 2>&1 || true; /bin/busybox chmod 700 /tmp && echo fine", options)).toBe(
    "mkdir: can't create directory '/tmp/x': Function not implemented\nfine",
  );
  expect(box.sh("/bin/busybox mkdir /tmp/y && echo made", { ...options, CapAdd: ["SYS_BOOT"] })).toBe("made");
  expect(() => box.sh("true", { SecurityOpt: ["seccomp={]"] })).toThrow("Decoding seccomp profile failed");
});

test("rules name unknown calls without failing", () => {
  const { syscalls } = defaultProfile({ arch: "x64", kernel: { major: 4, minor: 7 } }, new Set());
  expect(syscalls[0]?.names).toContain("removexattrat");
  expect(syscalls[0]?.names).not.toContain("ptrace");
});
