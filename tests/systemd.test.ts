/** The daemon as a service of systemd, on hosts where that is the first process. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { alive, output, until } from "./harness/process.ts";

/** The engine's own daemon, stopped and started again as a service. Dispose of it: the service ends, containers do not. */
class Service implements AsyncDisposable {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static async takeOver(engine: Engine): Promise<Service> {
    const command = readFileSync(`/proc/${engine.pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    await engine.stop();
    const service = new Service(`berth-test-${process.pid}.service`);
    const settings = ["KillMode=process", "Delegate=yes", "OOMScoreAdjust=-500", "TasksMax=infinity"];
    const options = ["--quiet", "--unit", service.name, ...settings.map((setting) => `--property=${setting}`)];
    await output(["systemd-run", ...options, "--", ...command]);
    await service.#answers(engine);
    return service;
  }

  async restart(engine: Engine): Promise<void> {
    await output(["systemctl", "restart", this.name]);
    await this.#answers(engine);
  }

  async #answers(engine: Engine): Promise<void> {
    await until("the service answers", async () => {
      const answer = await engine.wire.send("GET", "/_ping").catch(() => undefined);
      return (await answer?.bytes()) !== undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await output(["systemctl", "stop", this.name]);
  }
}

function groupOf(pid: number): string {
  return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";
}

const unified = existsSync("/sys/fs/cgroup/cgroup.controllers");

test.if(unified && existsSync("/run/systemd/system"))(
  "where systemd rules cgroup v2, containers outlive their service and keep their limits when it reloads",
  async () => {
    await using engine = await startEngine();
    const limits = { Memory: 64 << 20, PidsLimit: 50, NanoCpus: 500_000_000, CpusetCpus: "0" };
    const { box, pid } = await (async () => {
      await using service = await Service.takeOver(engine);
      const run = await engine.run(["sleep", "600"], { HostConfig: limits });
      const { Pid } = (await run.inspect()).State;
      expect(groupOf(Pid)).not.toContain(service.name);
      expect(readFileSync(`/proc/${Pid}/oom_score_adj`, "utf8")).toBe("0\n");
      const kept = () =>
        ["memory.max", "pids.max", "cpu.max", "cpuset.cpus"].map((file) =>
          readFileSync(join("/sys/fs/cgroup", groupOf(Pid), file), "utf8").trim(),
        );
      const before = kept();
      expect(before).toEqual([`${64 << 20}`, "50", "50000 100000", "0"]);
      await output(["systemctl", "daemon-reload"]);
      await service.restart(engine);
      expect(kept()).toEqual(before);
      expect((await run.inspect()).State).toMatchObject({ Running: true, Pid });
      const later = await engine.run(["sleep", "600"], { HostConfig: limits });
      expect(readFileSync(join("/sys/fs/cgroup", groupOf((await later.inspect()).State.Pid), "pids.max"), "utf8")).toBe(
        "50\n",
      );
      await later.remove({ force: true });
      return { box: run, pid: Pid };
    })();
    expect(alive(pid)).toBe(true);
    await engine.start();
    expect((await box.inspect()).State).toMatchObject({ Running: true, Pid: pid });
    await box.kill();
    expect(await box.wait()).toBe(137);
  },
);
