/**
 * The Debian package on a host of its own whose first process is systemd: it installs itself there. Only where
 * BERTH_TEST_PACKAGES names a folder with two versions of it, as scripts/it-vm.sh makes them.
 */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxArchive, testImage } from "./harness/image.ts";
import { alive, run, until } from "./harness/process.ts";

const folder = process.env["BERTH_TEST_PACKAGES"] ?? "";

/** What a command printed; throws with all of it where it fails. */
async function sh(command: string): Promise<string> {
  const { code, stdout, stderr } = await run(["bash", "-c", command], { timeout: 300_000 });
  if (code !== 0) throw new Error(`${command}: exit code ${code}: ${stdout}${stderr}`);
  return stdout.trim();
}

test.if(folder !== "" && existsSync("/run/systemd/system"))(
  "the package starts its service, upgrades under running containers, and is removed with all that it made",
  async () => {
    const [first = "", second = ""] = readdirSync(folder)
      .filter((name) => name.endsWith(".deb"))
      .toSorted()
      .map((name) => join(folder, name));
    await sh(`dpkg -i ${first}`);
    expect(await sh("systemctl is-active berth.service berth.socket; stat -c '%a %G' /run/berth/berth.sock")).toBe(
      "active\nactive\n660 docker",
    );
    await Bun.write("/tmp/busybox.tar", await busyboxArchive());
    await sh(`berth load -qi /tmp/busybox.tar && berth run -d --name web -v kept:/kept ${testImage} sleep infinity`);
    const pid = Number(await sh("berth inspect -f '{{.State.Pid}}' web"));
    const daemon = () => sh("systemctl show -P MainPID berth.service").then(Number);
    expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).not.toContain("berth.service");

    const before = await daemon();
    await sh(`dpkg -i ${second}`);
    expect(await sh("dpkg-query -W -f '${Version}' berth")).toBe("0.0.2");
    const upgraded = await daemon();
    expect(upgraded).not.toBe(before);
    expect(await sh("berth inspect -f '{{.State.Pid}} {{.State.Running}}' web")).toBe(`${pid} true`);

    process.kill(upgraded, "SIGKILL");
    await until("systemd has started another daemon", async () => ![0, upgraded].includes(await daemon()));
    expect(await sh("berth ps --format '{{.Names}}'")).toBe("web");

    await sh("systemctl stop berth.service");
    expect(alive(pid)).toBe(true);
    // The socket is still there, and whoever asks wakes the daemon.
    expect(await sh("berth ps --format '{{.Names}}' && systemctl is-active berth.service")).toBe("web\nactive");

    await sh("dpkg -r berth");
    expect(alive(pid)).toBe(false);
    expect(existsSync("/sys/class/net/berth0")).toBe(false);
    expect(existsSync("/sys/fs/cgroup/berth")).toBe(false);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(" /run/berth/");
    expect(
      await sh("ls /run/berth/berth.sock 2>&1 || systemctl is-active berth.service berth.socket || true"),
    ).toContain("inactive\ninactive");
    expect(existsSync("/var/lib/berth/volumes/kept")).toBe(true);
    await sh("dpkg -P berth");
    expect(["/var/lib/berth", "/run/berth", "/etc/berth"].filter((path) => existsSync(path))).toEqual([]);
    expect(await sh("systemctl list-unit-files 'berth.*' --no-legend || true")).toBe("");
  },
  600_000,
);
