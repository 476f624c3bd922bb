/** The root file system of a busybox image, from Debian's or Ubuntu's package busybox-static. */
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { unpackArchive } from "#linux/helper-client.ts";
import type { Progress } from "../types.ts";
import { packageData } from "./deb.ts";

const PACKAGE = "busybox-static";

/** Works in the empty folder `work`; returns the path of the tree. */
export async function busyboxRootfs(work: string, progress: Progress, signal: AbortSignal): Promise<string> {
  progress({ status: `Downloading the package ${PACKAGE}` });
  const file = await downloadPackage(PACKAGE, work, signal);
  const data = join(work, "data.tar");
  await packageData(file, data);
  const unpacked = join(work, "package");
  mkdirSync(unpacked);
  await unpackArchive({ archive: data, target: unpacked, mode: "plain" }, signal);
  const program = ["bin/busybox", "usr/bin/busybox"]
    .map((path) => join(unpacked, path))
    .find((path) => existsSync(path));
  if (program === undefined) throw new EngineError("internal", `the package ${PACKAGE} holds no busybox program`);
  return makeTree(join(work, "rootfs"), program);
}

/** apt checks the package against the signed lists of its sources. Rejects "unavailable" with apt's words. */
async function downloadPackage(name: string, folder: string, signal: AbortSignal): Promise<string> {
  const run = async (...words: string[]): Promise<{ code: number; problem: string }> => {
    const child = Bun.spawn(["apt-get", "-q", "-o", "APT::Sandbox::User=root", ...words], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      signal,
    });
    const problem = await new Response(child.stderr).text();
    return { code: await child.exited, problem };
  };
  if (Bun.which("apt-get") === null) {
    throw new EngineError(
      "unavailable",
      "busybox is made from a Debian package, and this host has no apt-get: pull or load an image",
    );
  }
  let result = await run("download", name);
  if (result.code !== 0) {
    // A machine that never fetched the package lists.
    await run("update");
    result = await run("download", name);
  }
  const file = readdirSync(folder).find((entry) => entry.endsWith(".deb"));
  if (result.code !== 0 || file === undefined) {
    throw new EngineError("unavailable", `cannot download the package ${name}: ${result.problem.trim()}`);
  }
  return join(folder, file);
}

async function makeTree(rootfs: string, program: string): Promise<string> {
  const folders = {
    bin: 0o755,
    dev: 0o755,
    etc: 0o755,
    home: 0o755,
    proc: 0o555,
    root: 0o700,
    sys: 0o555,
    tmp: 0o1777,
    usr: 0o755,
    "usr/bin": 0o755,
    "usr/sbin": 0o755,
    sbin: 0o755,
    var: 0o755,
    "var/spool": 0o755,
    "var/www": 0o755,
  };
  mkdirSync(rootfs, { mode: 0o755 });
  for (const [name, mode] of Object.entries(folders)) {
    mkdirSync(join(rootfs, name));
    chmodSync(join(rootfs, name), mode);
  }
  const busybox = join(rootfs, "bin/busybox");
  copyFileSync(program, busybox);
  chmodSync(busybox, 0o755);
  const list = Bun.spawn([busybox, "--list"], { stdio: ["ignore", "pipe", "ignore"] });
  for (const applet of (await new Response(list.stdout).text()).split("\n")) {
    if (applet !== "" && applet !== "busybox") linkSync(busybox, join(rootfs, "bin", applet));
  }
  const files = {
    passwd:
      "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    group: "root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(rootfs, "etc", name), text);
  return rootfs;
}
