/** A daemon that is killed in the middle of a change: afterwards all of it is there, or nothing. */
import { expect, test } from "bun:test";
import { ask, listen } from "#engine/network/peers.ts";
import type { Box } from "./harness/box.ts";
import { change, mountPoints, shell } from "./harness/change.ts";
import { startEngine } from "./harness/engine.ts";

const PORT = "18511";
/** Milliseconds after which the daemon is killed. */
const MOMENTS = [15, 35, 60, 100];

/** What a container has by the kernel: mounts, interfaces, the limit of processes, its own names. */
async function seen(box: Box): Promise<unknown[]> {
  return [
    await mountPoints(box),
    (await shell(box, "ls /sys/class/net")).split("\n").length - 2,
    (await shell(box, "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null")).trim(),
    (await shell(box, "grep -c 10.0.0.9 /etc/hosts")).trim(),
    (await ask(undefined, "tcp", "127.0.0.1", Number(PORT))) !== "refused",
  ];
}

/** The same by the daemon. */
async function told(box: Box): Promise<unknown[]> {
  const { Mounts, NetworkSettings, HostConfig } = await box.inspect();
  return [
    Mounts.map(({ Destination }) => Destination).toSorted(),
    Object.values(NetworkSettings.Networks).filter(({ IPAddress }) => IPAddress !== "").length,
    String(HostConfig.PidsLimit),
    String(HostConfig.ExtraHosts?.length ?? 0),
    "80/tcp" in NetworkSettings.Ports,
  ];
}

test("what a killed daemon was changing is changed as a whole or not at all", async () => {
  await using engine = await startEngine();
  await engine.wire.json("POST", "/networks/create", { Name: "side" });
  const box = await engine.run(["sleep", "600"], { HostConfig: { PidsLimit: 50, Binds: ["old:/old"] } });
  await using _listener = await listen(await box.namespace(), "tcp", 80);
  const old: unknown[] = [["/old"], 1, "50", "0", false];
  const fresh: unknown[] = [["/new", "/tmpfs"], 2, "60", "1", true];
  expect(await seen(box)).toEqual(old);
  expect(await told(box)).toEqual(old);
  const there = {
    Binds: { Add: ["new:/new"] },
    Mounts: { Add: [{ Type: "tmpfs" as const, Target: "/tmpfs" }], Remove: ["/old"] },
    Networks: { Add: { side: null } },
    PortBindings: { Add: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: PORT }] } },
    ExtraHosts: { Add: ["peer:10.0.0.9"] },
  };
  const back = {
    Binds: { Add: ["old:/old"] },
    Mounts: { Remove: ["/new", "/tmpfs"] },
    Networks: { Remove: ["side"] },
    PortBindings: { Remove: [{ Port: "80/tcp" }] },
    ExtraHosts: { Remove: ["peer"] },
  };
  let isFresh = false;
  /** Whether it was answered. */
  const turn = (): Promise<boolean> => {
    const body = { Changes: isFresh ? back : there, PidsLimit: isFresh ? 50 : 60 };
    return engine.wire.json("POST", `/containers/${box.id}/update`, body).then(
      () => true,
      () => false,
    );
  };
  for (const toFresh of [true, false]) {
    for (const moment of MOMENTS) {
      if (isFresh === toFresh) {
        expect(await turn()).toBe(true);
        isFresh = !isFresh;
      }
      const answered = turn();
      await Bun.sleep(moment);
      await engine.kill9();
      const changed = await answered;
      await engine.start();
      const kernel = await seen(box);
      expect(await told(box)).toEqual(kernel);
      expect([old, fresh]).toContainEqual(kernel);
      const now = Bun.deepEquals(kernel, fresh);
      // What was answered is done; what was not may be.
      if (changed) expect(now).toBe(!isFresh);
      isFresh = now;
    }
  }
  if (isFresh) await change(engine, box, back);
  await engine.wire.bytes("DELETE", "/networks/side");
  await engine.wire.bytes("DELETE", "/volumes/new?force=1");
  expect(await engine.leftovers()).toEqual([]);
}, 120_000);
