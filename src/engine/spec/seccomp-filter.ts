/** Compiles the default system call policy to the kernel's filter program, once, so that no runtime does it per container. */
import type { ScmpArch, SyscallResolver } from "#linux/libseccomp.ts";
import { scmpArch } from "#linux/libseccomp.ts";
import { allowedNames, ENOSYS, EPERM, type SeccompHost, seccompArchitectures } from "./seccomp.ts";
import {
  cloneNamespaceFlags,
  deniedFamilies,
  lastKnownNumber,
  ownNumbers,
  personalities,
  unifiedNumbers,
} from "./seccomp-table.ts";

/** One `struct sock_filter`: code, jump if true, jump if false, operand (linux/filter.h). */
type Instruction = readonly [code: number, jt: number, jf: number, k: number];

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_GREATER_OR_EQUAL = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** Offsets in `struct seccomp_data`, little endian: the lower half of argument 0 is the first. */
const OFFSET = { nr: 0, arch: 4, arg0: 16 } as const;

const KILL_PROCESS = 0x80000000;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;

/** Calls of the x32 ABI carry this bit and AUDIT_ARCH_X86_64. */
const X32_BIT = 0x40000000;

const answer = (value: number): Instruction[] => [[RETURN, 0, 0, value]];
const allow = answer(ALLOW);
const deny = answer(ERRNO | EPERM);
const unknown = answer(ERRNO | ENOSYS);

/**
 * The program for one architecture, kernel and bounding set, as `sock_filter` bytes in host (little endian) order.
 *
 * It decides as the JSON profile does, with two differences that libseccomp cannot express: arguments that the kernel
 * takes as 32-bit values are compared as such, and calls newer than this table answer ENOSYS rather than EPERM.
 * Calls through an architecture that is not listed kill the process.
 */
export function compileFilter(
  host: SeccompHost,
  capabilities: ReadonlySet<string>,
  resolve: SyscallResolver,
): Uint8Array {
  const architectures = (seccompArchitectures[host.arch] ?? []) as readonly ScmpArch[];
  const names = allowedNames(host, capabilities);
  const sections = new Map<number, Map<number, Instruction[]>>();
  for (const arch of architectures) {
    const token = arch === "SCMP_ARCH_X32" ? scmpArch.SCMP_ARCH_X86_64 : scmpArch[arch];
    const calls = sections.get(token) ?? new Map<number, Instruction[]>();
    const put = (name: string, code: Instruction[]): void => {
      const number = numberOf(arch, name, resolve);
      if (number >= 0) calls.set(number, code);
    };
    for (const name of names) put(name, allow);
    put("socket", allowFamilies());
    put("personality", allowPersonalities());
    if (!capabilities.has("CAP_SYS_ADMIN")) {
      put("clone", allowWithout(cloneNamespaceFlags));
      put("clone3", unknown);
    }
    sections.set(token, calls);
  }

  const program: Instruction[] = [[LOAD, 0, 0, OFFSET.arch]];
  for (const [token, calls] of sections) {
    const body: Instruction[] = [
      [LOAD, 0, 0, OFFSET.nr],
      ...decide(segments(calls, token === scmpArch.SCMP_ARCH_X86_64)),
    ];
    program.push([IF_EQUAL, 1, 0, token], [JUMP, 0, 0, body.length], ...body);
  }
  program.push(...answer(KILL_PROCESS));
  return encode(program);
}

function numberOf(arch: ScmpArch, name: string, resolve: SyscallResolver): number {
  const unified = unifiedNumbers[name];
  if (unified !== undefined) return arch === "SCMP_ARCH_X32" ? X32_BIT + unified : unified;
  return ownNumbers[arch]?.[name] ?? resolve(arch, name);
}

interface Segment {
  /** The first number that it covers; it ends where the next one starts. */
  from: number;
  code: Instruction[];
}

/** Every possible number as runs that are decided alike. */
function segments(calls: ReadonlyMap<number, Instruction[]>, withX32: boolean): Segment[] {
  const runs: Segment[] = [];
  const run = (from: number, code: Instruction[]): void => {
    if (runs.at(-1)?.from === from) runs.pop();
    if (runs.at(-1)?.code !== code) runs.push({ from, code });
  };
  const known = (base: number, limit: number): void => {
    run(base, deny);
    const inside = [...calls].filter(([number]) => number >= base && number < limit).toSorted(([a], [b]) => a - b);
    for (const [number, code] of inside) {
      run(number, code);
      run(number + 1, deny);
    }
    const last = inside.at(-1)?.[0] ?? base;
    run(Math.max(base + lastKnownNumber, last) + 1, unknown);
  };
  known(0, X32_BIT);
  if (withX32) known(X32_BIT, 2 * X32_BIT);
  return runs;
}

/** A binary search over the runs: eight or nine comparisons, whatever the call. */
function decide(runs: readonly Segment[]): Instruction[] {
  const middle = runs.length >> 1;
  const pivot = runs[middle];
  if (pivot === undefined || runs.length === 1) return pivot?.code ?? deny;
  const below = decide(runs.slice(0, middle));
  const above = decide(runs.slice(middle));
  const { from } = pivot;
  // A conditional jump reaches 255 instructions; a plain one reaches everything.
  if (below.length <= 255) return [[IF_GREATER_OR_EQUAL, below.length, 0, from], ...below, ...above];
  return [[IF_GREATER_OR_EQUAL, 0, 1, from], [JUMP, 0, 0, below.length], ...below, ...above];
}

function allowFamilies(): Instruction[] {
  return [[LOAD, 0, 0, OFFSET.arg0], ...unlessOneOf(Object.values(deniedFamilies), deny, allow)];
}

function allowPersonalities(): Instruction[] {
  return [[LOAD, 0, 0, OFFSET.arg0], ...unlessOneOf(personalities, allow, deny)];
}

/** `hit` where the accumulator equals one of `values`, else `miss`; both are one instruction. */
function unlessOneOf(values: readonly number[], hit: Instruction[], miss: Instruction[]): Instruction[] {
  const tests = values.map((value, i): Instruction => [IF_EQUAL, values.length - i, 0, value]);
  return [...tests, ...miss, ...hit];
}

function allowWithout(flags: number): Instruction[] {
  return [[LOAD, 0, 0, OFFSET.arg0], [AND, 0, 0, flags], [IF_EQUAL, 0, 1, 0], ...allow, ...deny];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(([code, jt, jf, k], i) => {
    bytes.setUint16(8 * i, code, true);
    bytes.setUint8(8 * i + 2, jt);
    bytes.setUint8(8 * i + 3, jf);
    bytes.setUint32(8 * i + 4, k, true);
  });
  return new Uint8Array(bytes.buffer);
}
