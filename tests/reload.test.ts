/** What SIGHUP makes of a changed configuration file, in a daemon that runs. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { EventMessage } from "#api/types/event.ts";
import type { SystemInfo } from "#api/types/system.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

async function reloads(engine: Engine): Promise<EventMessage[]> {
  const filters = encodeURIComponent(JSON.stringify({ type: ["daemon"], event: ["reload"] }));
  const seen = await engine.wire.bytes("GET", `/events?since=0&until=${Date.now() / 1000}&filters=${filters}`);
  return new TextDecoder()
    .decode(seen)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as EventMessage);
}

test("SIGHUP changes what can be changed; a file that is wrong changes nothing", async () => {
  const folder = mkdtempSync("/var/tmp/bt-reload-");
  const file = `${folder}/daemon.json`;
  const write = (value: unknown): void =>
    writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  write({ labels: ["site=a"], "default-shm-size": "32m" });
  try {
    await using engine = await startEngine({ arguments: ["--config-file", file] });
    const info = (): Promise<SystemInfo> => engine.wire.json("GET", "/info");
    const shmSize = async (): Promise<number> =>
      (await (await engine.create(["true"])).inspect()).HostConfig.ShmSize ?? 0;
    const lines = async (text: string): Promise<number> => (await engine.log()).split(text).length - 1;
    const settled = (count: number): Promise<unknown> =>
      until("the daemon has reloaded", async () => (await reloads(engine)).length === count);
    expect((await info()).Labels).toEqual(["site=a"]);
    expect(await shmSize()).toBe(32 * 1024 ** 2);

    write({
      debug: true,
      labels: ["site=b"],
      "default-shm-size": "16m",
      "registry-mirrors": ["http://127.0.0.1:1"],
      "insecure-registries": ["10.0.0.0/8"],
      runtimes: { mine: { path: Bun.which("crun") } },
      mtu: 1400,
    });
    process.kill(engine.pid, "SIGHUP");
    await settled(1);
    expect(await info()).toMatchObject({
      Debug: true,
      Labels: ["site=b"],
      Runtimes: { mine: { path: Bun.which("crun") } },
      RegistryConfig: {
        Mirrors: ["http://127.0.0.1:1"],
        InsecureRegistryCIDRs: expect.arrayContaining(["10.0.0.0/8"]),
      },
    });
    expect(await shmSize()).toBe(16 * 1024 ** 2);
    expect(await lines('"settings":["mtu"]')).toBe(1);
    expect((await reloads(engine))[0]).toMatchObject({
      Type: "daemon",
      Action: "reload",
      Actor: { ID: (await info()).ID, Attributes: { debug: "true", labels: '["site=b"]', runtimes: "mine" } },
    });
    const box = await engine.run(["sleep", "60"], { HostConfig: { Runtime: "mine" } });
    expect((await box.inspect()).State.Running).toBe(true);

    for (const [at, wrong] of ["{", { lables: [] }, { "default-runtime": "/nowhere/crun" }].entries()) {
      write(wrong);
      process.kill(engine.pid, "SIGHUP");
      await until("it complains", async () => (await lines("cannot reload the configuration")) === at + 1);
    }
    expect(await reloads(engine)).toHaveLength(1);
    expect(await info()).toMatchObject({ Debug: true, Labels: ["site=b"] });

    // What was given no longer falls back to what it is without.
    write({});
    process.kill(engine.pid, "SIGHUP");
    await settled(2);
    expect(await info()).toMatchObject({ Debug: false, Labels: [] });
    expect(await shmSize()).toBe(64 * 1024 ** 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
