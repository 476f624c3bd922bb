/** For tests: runs a test file in a network namespace of its own, where it may set up any firewall and any network. */
import { dirname } from "node:path";
import { patience } from "#lib/testing.ts";

const MARK = "BERTH_TEST_PRIVATE_NETWORK";

/** True in the process that `rerunInPrivateNetwork` started. */
export function inPrivateNetwork(): boolean {
  return process.env[MARK] === "1";
}

/** Runs the tests of `file` again where `inPrivateNetwork` holds; throws with their output where one fails. */
export async function rerunInPrivateNetwork(file: string): Promise<void> {
  const limit = String(60_000 * patience);
  const child = Bun.spawn(["unshare", "--net", process.execPath, "test", "--timeout", limit, file], {
    cwd: dirname(file),
    env: { ...process.env, [MARK]: "1" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${out}\n${error}`);
}
