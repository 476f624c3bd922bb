/** The chrooted helper: this same executable under a hidden verb, so that a malicious archive can crash only that. */
import { writeSync } from "node:fs";
import { EngineError, errorKind, errorMessage, type ErrorKind } from "#lib/errors.ts";
import type { IdMap } from "./id-map.ts";
import { syscall } from "./libc.ts";

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** What a helper says at its end, as the last line of its standard error. */
export type HelperOutcome = { readonly result: unknown } | { readonly error: { kind: ErrorKind; message: string } };

export type HelperOperation =
  "decompress" | "unpack" | "pack" | "measure" | "remove" | MountOperation | VolumeOperation;

type MountOperation = "mounts" | "mount" | "look" | "unmount";
type VolumeOperation = "copy" | "backup" | "restore" | "usage";

/** The command to spawn; operation and request (JSON) are still to be appended. */
export function helperCommand(): string[] {
  const compiled = Bun.main.startsWith("/$bunfs/");
  if (compiled) return [process.execPath, "__helper"];
  return [process.execPath, Bun.fileURLToPath(new URL("./helper-main.ts", import.meta.url))];
}

/**
 * Runs one operation in this process: `argv` is what follows `__helper`. Resolves to the exit code.
 * Bytes go through standard input and output. Dies with the process that started it.
 */
export async function runHelper(argv: readonly string[]): Promise<number> {
  let outcome: HelperOutcome;
  try {
    outcome = { result: await run(argv[0] ?? "", JSON.parse(argv[1] ?? "{}")) };
  } catch (error) {
    outcome = { error: { kind: errorKind(error), message: errorMessage(error) } };
  }
  const text = Buffer.from(`\n${JSON.stringify(outcome)}\n`);
  for (let done = 0; done < text.length;) done += writeSync(2, text, done);
  return "error" in outcome ? 1 : 0;
}

// The request was written by `helper-client.ts` of this very program. What an operation needs is loaded before it
// changes its root: afterwards no file name means what it did.
async function run(operation: string, { parent, ...request }: { parent: number }): Promise<unknown> {
  dieWith(parent);
  if (isVolumeOperation(operation)) return runOnVolume(operation, request);
  const { TreeCalls } = await import("./helper-calls.ts");
  const calls = new TreeCalls(`cannot ${operation}`, (request as { ids?: IdMap }).ids);
  switch (operation) {
    case "decompress":
      return (await import("./helper-unpack.ts")).decompress(request as never, calls);
    case "unpack":
      return (await import("./helper-unpack.ts")).unpackTree(request as never, calls);
    case "pack":
      return (await import("./helper-pack.ts")).packTree(request as never, calls);
    case "measure":
      return (await import("./helper-disk.ts")).measure(request as never, calls);
    case "remove":
      return (await import("./helper-disk.ts")).removeBelow(request as never, calls);
    case "mounts":
      return (await import("./helper-mounts.ts")).serveMounts();
    case "mount":
      return (await import("./helper-mount.ts")).mountFromInput(request as never);
    case "look":
      return (await import("./helper-mount.ts")).lookHere(request as never);
    case "unmount":
      return (await import("./helper-mount.ts")).unmountHere(request as never);
    default:
      throw new EngineError("invalid", `unknown helper operation ${JSON.stringify(operation)}`);
  }
}

function isVolumeOperation(operation: string): operation is VolumeOperation {
  return ["copy", "backup", "restore", "usage"].includes(operation);
}

async function runOnVolume(operation: VolumeOperation, request: object): Promise<unknown> {
  const { VolumeCalls } = await import("./volume-calls.ts");
  const calls = new VolumeCalls(operation === "backup" ? "cannot back up" : `cannot ${operation}`);
  switch (operation) {
    case "copy":
      return (await import("./helper-copy.ts")).copyTree(request as never, calls);
    case "backup":
      return (await import("./helper-backup.ts")).backUpTree(request as never, calls);
    case "restore":
      return (await import("./helper-restore.ts")).restoreTree(request as never, calls);
    case "usage":
      return (await import("./helper-disk.ts")).measureSeveral(request as never, calls);
  }
}

/** Lets the kernel kill this process with the daemon `parent`: nobody would clean up after it otherwise. */
function dieWith(parent: number): void {
  syscall("prctl", PR_SET_PDEATHSIG, SIGKILL);
  if (process.ppid !== parent) process.exit(1);
}
