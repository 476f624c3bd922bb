/** Runs programs to their end and waits for conditions, with limits so that a test fails instead of hanging. */
import { patience } from "#lib/testing.ts";

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Nothing by default: the program reads the end of file at once. */
  stdin?: string | Uint8Array<ArrayBuffer>;
  /** Milliseconds, 60,000 times `patience` by default; then it is killed and the promise rejects. */
  timeout?: number;
}

/** Rejects only where the program cannot be started or takes too long; its exit code is the caller's to judge. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { env, cwd, stdin, timeout = 60_000 * patience } = options;
  const input = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: input ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeout);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(timer);
  if (late) throw new Error(`${command.join(" ")} had not ended after ${timeout} ms:\n${stdout}${stderr}`);
  return { code, stdout, stderr };
}

/** As `run`, but rejects for an exit code other than 0; gives stdout without the last line end. */
export async function output(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(" ")}: exit code ${code}: ${stderr || stdout}`);
  return stdout.replace(/\n$/, "");
}

/** Settles once a count has begun and has stood still for 300 ms. */
export async function standstill(what: string, count: () => number | Promise<number>): Promise<void> {
  let [last, since] = [0, Date.now()];
  await until(`${what} stands still`, async () => {
    const now = await count();
    if (now !== last) [last, since] = [now, Date.now()];
    return last > 0 && Date.now() - since > 300;
  });
}

/** The first truthy value that `probe` gives, asked every few milliseconds; rejects after `timeout` ms. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  timeout = 20_000 * patience,
): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false && value !== null) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms in vain: ${what}`);
    await Bun.sleep(10);
  }
}

/** Zombies count as alive. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
