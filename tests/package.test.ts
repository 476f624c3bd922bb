/** The Debian package, installed, upgraded under a running container, removed and purged in a Debian container. */
import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { busyboxArchive, testImage } from "./harness/image.ts";
import { startEngine } from "./harness/engine.ts";
import { run } from "./harness/process.ts";

const minutes = 60_000;
const root = join(import.meta.dir, "..");

/** As root in the container; throws with all output where it fails. */
type Shell = (script: string) => Promise<string>;

test(
  "installs with its dependencies, upgrades under a running container, removes and purges cleanly",
  async () => {
    await using undo = new AsyncDisposableStack();
    const packages = await mkdtemp("/var/tmp/bt-package-");
    undo.defer(() => rm(packages, { recursive: true }));
    for (const version of ["0.0.1", "0.0.2"]) {
      const built = await run(["bun", "scripts/package/package.ts", "--version", version, "--output", packages], {
        cwd: root,
        timeout: 2 * minutes,
      });
      expect(built.code, built.stdout + built.stderr).toBe(0);
    }
    const [first = "", second = ""] = (await readdir(packages)).toSorted();
    expect(first).toMatch(/^berth_0\.0\.1_(amd64|arm64)\.deb$/);
    await Bun.write(join(packages, "busybox.tar"), await busyboxArchive());

    const engine = undo.use(await startEngine({ image: false }));
    const made = await engine.berth(["image", "bootstrap", "debian:bookworm"], { timeout: 2 * minutes });
    expect(made).toMatchObject({ code: 0, stderr: "" });
    // The inner daemon's layers must not lie on an overlay.
    const volumes = ["-v", "data:/var/lib/berth", "-v", `${packages}:/packages:ro`];
    const machine = ["--privileged", "--init", "--name", "machine", ...volumes, "debian:bookworm", "sleep", "infinity"];
    await engine.berth(["run", "-d", ...machine]);
    const sh: Shell = async (script) => {
      const words = ["exec", "-e", "DEBIAN_FRONTEND=noninteractive", "machine", "sh", "-ec", script];
      const { code, stdout, stderr } = await engine.berth(words, { timeout: 2 * minutes });
      if (code !== 0) throw new Error(`${script}: exit code ${code}: ${stdout.slice(-2000)}${stderr.slice(-2000)}`);
      return stdout.trim();
    };
    await sh(`apt-get update && apt-get install -y --no-install-recommends /packages/${first} procps`);
    expect(await sh("berth --version")).toStartWith("Berth version");
    expect(await sh("dpkg --verify berth; getent group docker | cut -d: -f1")).toBe("docker");
    const daemon =
      "setsid berth daemon --pidfile /run/berth.pid >/var/log/berth.log 2>&1 </dev/null & " +
      "for try in $(seq 300); do berth version >/dev/null 2>&1 && exit; sleep 0.1; done; cat /var/log/berth.log; exit 1";
    await sh(daemon);
    await sh(
      `berth load -qi /packages/busybox.tar && berth run -d --name web -v kept:/kept ${testImage} sleep infinity`,
    );
    const pid = "berth inspect -f '{{.State.Pid}}' web";
    const before = await sh(pid);

    await sh(`dpkg -i /packages/${second} && dpkg-query -W -f '\${Version}' berth | grep -qx 0.0.2`);
    await sh(`kill $(cat /run/berth.pid); while [ -e /run/berth.pid ]; do sleep 0.1; done; ${daemon}`);
    expect(await sh(pid)).toBe(before);

    await sh("kill $(cat /run/berth.pid); while [ -e /run/berth.pid ]; do sleep 0.1; done");
    await sh(`kill -0 ${before}`);
    await sh("apt-get remove -y berth");
    expect(await sh(`kill -0 ${before} 2>&1 || echo gone; pgrep -l 'conmon|berth' || true`)).toEndWith("gone");
    expect(
      await sh("ls /sys/class/net; grep ' /run/berth/' /proc/self/mountinfo || true; ls -A /run/berth/bundles"),
    ).toBe("eth0\nlo");
    expect(await sh("ls /var/lib/berth/volumes /usr/share/man/man1/berth* 2>/dev/null || true")).toContain("kept");
    await sh("apt-get purge -y berth");
    expect(await sh("ls -A /var/lib/berth; ls -d /run/berth /etc/berth /usr/share/doc/berth 2>/dev/null || true")).toBe(
      "",
    );
    await engine.remove("machine", { force: true });
    expect(await engine.leftovers()).toEqual([]);
  },
  6 * minutes,
);
