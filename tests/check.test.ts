/** `system check`, where a daemon is known to run and where it could not. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { mountTmpfs, unmount } from "#linux/mount.ts";
import { DaemonProcess } from "./harness/daemon.ts";
import { run } from "./harness/process.ts";

interface Finding {
  name: string;
  status: string;
  remedy?: string;
}

const { program } = new DaemonProcess("", "", []);

test("where tests can run nothing fails; a data root that is full does", async () => {
  const { code, stdout } = await run([...program, "system", "check", "--json", "--data-root=/var/tmp"]);
  const findings = JSON.parse(stdout) as Finding[];
  expect(findings.filter(({ status }) => status === "fail")).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["kernel", "cgroups", "overlay", "conmon", "OCI runtime", "disk space"]),
  );
  expect(code).toBe(0);

  const full = mkdtempSync("/var/tmp/bt-check-");
  mountTmpfs(full, { size: 1024 * 1024, mode: 0o755, flags: [] });
  try {
    const refused = await run([...program, "system", "check", `--data-root=${full}/below`]);
    expect(refused).toMatchObject({ code: 1, stderr: "" });
    expect(refused.stdout).toMatch(/^fail {2}disk space: .* free for .*\n +make room, or choose another --data-root$/m);
  } finally {
    unmount(full, { detach: true });
    rmSync(full, { recursive: true });
  }
});
