/** Volumes, binds and tmpfs: what a container sees, and what outlives it. */
import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { startEngine } from "../harness/engine.ts";

test("binds show the host's files, read-only where asked", async () => {
  await using engine = await startEngine();
  const folder = `${engine.execRoot}/shared`;
  await mkdir(folder);
  await writeFile(`${folder}/file`, "host\n");
  const box = await engine.run(["sh", "-c", "cat /a/file /one; echo box > /a/new; echo x > /b/no"], {
    HostConfig: { Binds: [`${folder}:/a`, `${folder}:/b:ro`, `${folder}/file:/one:ro`] },
  });
  await box.wait();
  const { stdout, stderr } = await box.logs();
  expect(stdout).toBe("host\nhost\n");
  expect(stderr).toContain("Read-only file system");
  expect(await Bun.file(`${folder}/new`).text()).toBe("box\n");
});
