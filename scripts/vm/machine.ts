/** Boots a machine in QEMU, shows what its tests print, and gathers how they ended. */
import { accessSync, constants, readFileSync } from "node:fs";
import type { RootImage } from "./image.ts";

interface Disks {
  root: RootImage;
  work: string;
  /** The file that gets the kernel's and systemd's messages. */
  console: string;
}

export interface Outcome {
  passed: number;
  failed: number;
  /** Versions by component, as guest.sh names them. */
  facts: Readonly<Record<string, string>>;
  /** From power on to power off. */
  minutes: number;
  accelerator: "kvm" | "tcg";
}

/** Resolves when the machine is off. One that is not after `limit` minutes is ended and counts as a failure. */
export async function boot({ root, work, console: log }: Disks, limit: number): Promise<Outcome> {
  const accelerator = hasKvm() ? "kvm" : "tcg";
  // All disks are read from; what the machine writes to them is thrown away.
  const drive = (file: string) => ["-drive", `file=${file},format=raw,if=virtio,snapshot=on`];
  const processor = accelerator === "kvm" ? ["-accel", "kvm", "-cpu", "host"] : ["-accel", "tcg", "-cpu", "max"];
  // An emulated processor leaks nothing: what the kernel does against it only takes time.
  const options = "root=/dev/vda rw console=ttyS0 panic=-1 net.ifnames=0 mitigations=off";
  const kernel = ["-kernel", root.kernel, "-initrd", root.initrd, "-append", options];
  const size = ["-smp", "1", "-m", "1500", "-display", "none", "-no-reboot"];
  // The second serial line is the tests' own.
  const lines = ["-serial", `file:${log}`, "-serial", "stdio"];
  // An interface, so that the host inside has an address; nothing outside can be reached.
  const network = ["-nic", "user,restrict=on,model=virtio-net-pci"];
  const started = performance.now();
  const child = Bun.spawn(
    ["qemu-system-x86_64", ...processor, ...size, ...kernel, ...drive(root.disk), ...drive(work), ...lines, ...network],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), limit * 60_000);
  const facts: Record<string, string> = {};
  const seen = { passed: 0, failed: 0 };
  let result: typeof seen | undefined;
  for await (const line of linesOf(child.stdout)) {
    const [, name, value] = /^fact (\S+) (.*)$/.exec(line) ?? [];
    if (name !== undefined) facts[name] = value ?? "";
    if (line.startsWith("(pass) ")) seen.passed++;
    if (line.startsWith("(fail) ")) seen.failed++;
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(line) ?? [];
    if (passed !== undefined) result = { passed: Number(passed), failed: Number(failed) };
    else process.stderr.write(`${line}\n`);
  }
  await child.exited;
  clearTimeout(timer);
  if (result === undefined) process.stderr.write(`the machine ended before its tests did; see ${log}\n`);
  const minutes = Math.ceil((performance.now() - started) / 60_000);
  // What did not come to its end has failed.
  return { ...(result ?? { ...seen, failed: seen.failed + 1 }), facts, minutes, accelerator };
}

/** Only where the processor's own virtualization is behind it: a nested emulation of it lacks instructions. */
function hasKvm(): boolean {
  if (!/^flags\s*:.* (vmx|svm) /m.test(readFileSync("/proc/cpuinfo", "utf8"))) return false;
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Without their ends; a serial line ends them with a carriage return. */
async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = `${rest}${text}`.split(/\r*\n/);
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest !== "") yield rest;
}
