/** For tests: runs a test file in a network namespace of its own, where it may set up any firewall and any network. */
import { readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { patience } from "#lib/testing.ts";

const MARK = "BERTH_TEST_PRIVATE_NETWORK";
/** The mount namespace of who started it. */
const OUTER_MOUNTS = "BERTH_TEST_OUTER_MOUNTS";
const MOUNTS = "/proc/self/ns/mnt";

/** True in the process that `rerunInPrivateNetwork` started. */
export function inPrivateNetwork(): boolean {
  return process.env[MARK] === "1";
}

/** Throws where what is mounted would be seen by the host. Call it before the first mount. */
export function assertPrivateMounts(): void {
  const outer = process.env[OUTER_MOUNTS];
  if (outer === undefined || outer === readlinkSync(MOUNTS)) throw new Error("this is the host's mount namespace");
}

/**
 * Runs the tests of `file` again where `inPrivateNetwork` holds, with `mounts` in a mount namespace of their own too;
 * throws with their output where one fails.
 */
export async function rerunInPrivateNetwork(file: string, { mounts = false } = {}): Promise<void> {
  const limit = String(60_000 * patience);
  const child = Bun.spawn(
    ["unshare", "--net", ...(mounts ? ["--mount"] : []), process.execPath, "test", "--timeout", limit, file],
    {
      cwd: dirname(file),
      env: { ...process.env, [MARK]: "1", [OUTER_MOUNTS]: readlinkSync(MOUNTS) },
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${out}\n${error}`);
}
