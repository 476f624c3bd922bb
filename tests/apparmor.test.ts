/** The profile `berth-default`, on hosts that have AppArmor and the program to load profiles with. */
import { expect, test } from "bun:test";
import { appArmorEnabled } from "#engine/spec/apparmor.ts";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { output, until } from "./harness/process.ts";

type Overrides = NonNullable<ContainerOverrides["HostConfig"]>;

const parser = Bun.which("apparmor_parser", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` });
const testWithAppArmor = test.if(parser !== null && appArmorEnabled());

async function shell(engine: Engine, script: string, HostConfig: Overrides = {}): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], { HostConfig });
  await box.wait();
  return (await box.logs()).stdout.trim();
}

testWithAppArmor(
  "on a host with AppArmor each process of a container is confined, unless it is asked not to",
  async () => {
    await using engine = await startEngine();
    const current = "cat /proc/self/attr/current";
    expect((await engine.wire.json<{ SecurityOptions: string[] }>("GET", "/info")).SecurityOptions).toContain(
      "name=apparmor",
    );
    const box = await engine.run(["sleep", "600"]);
    expect((await box.inspect()).AppArmorProfile).toBe("berth-default");
    expect(await Bun.file(`/proc/${(await box.inspect()).State.Pid}/attr/current`).text()).toBe(
      "berth-default (enforce)\n",
    );
    expect((await box.exec(["sh", "-c", current])).stdout.trim()).toBe("berth-default (enforce)");
    // A runtime that has a profile of its own stays in the label of a process that may not gain privileges.
    expect(await shell(engine, current, { SecurityOpt: ["no-new-privileges"] })).toMatch(
      /^berth-default(\/\/&crun)? \((enforce|mixed)\)$/,
    );
    expect(await shell(engine, current, { SecurityOpt: ["apparmor=unconfined"] })).toBe("unconfined");
    expect(await shell(engine, current, { Privileged: true })).toBe("unconfined");
    // As in Docker, a privileged exec stays in the container's profile.
    expect((await box.exec(["sh", "-c", current], { Privileged: true })).stdout.trim()).toBe("berth-default (enforce)");
  },
);

testWithAppArmor("where AppArmor confines, no capability opens mounts or the settings of the kernel", async () => {
  await using engine = await startEngine();
  const open: Overrides = { CapAdd: ["SYS_ADMIN"], MaskedPaths: [], ReadonlyPaths: [] };
  const script = "mount -t tmpfs none /tmp; p=/proc/sys/kernel/printk; v=$(cat $p); echo $v >$p";
  const confined = await shell(engine, script, { ...open, SecurityOpt: ["seccomp=unconfined"] });
  expect(confined).toBe(
    "mount: mounting none on /tmp failed: Permission denied\nsh: can't create /proc/sys/kernel/printk: Permission denied",
  );
  const free = ["seccomp=unconfined", "apparmor=unconfined"];
  expect(await shell(engine, script, { ...open, SecurityOpt: free })).toBe("");
});

testWithAppArmor("confined processes signal each other and obey the engine", async () => {
  await using engine = await startEngine();
  const signals = "exec 2>/dev/null; sleep 600 & kill -TERM $! && wait $!; echo $?";
  expect(await shell(engine, signals)).toBe("143");
  expect(await shell(engine, signals, { SecurityOpt: ["no-new-privileges"] })).toBe("143");
  const box = await engine.run(["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"]);
  await until("the trap is set", async () => (await box.logs()).stdout.includes("ready"));
  await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
  await engine.wire.bytes("POST", `/containers/${box.id}/unpause`);
  expect((await engine.wire.json<{ Processes: string[][] }>("GET", `/containers/${box.id}/top`)).Processes).not.toEqual(
    [],
  );
  await box.stop(20);
  expect((await box.inspect()).State.ExitCode).toBe(9);
});

testWithAppArmor("a profile of the host's confines instead, and one that is not loaded starts nothing", async () => {
  await using engine = await startEngine();
  const name = `berth-test-${process.pid}`;
  const text = `#include <tunables/global>\nprofile ${name} flags=(attach_disconnected) { file, signal, deny /data/** w, }\n`;
  await output([parser ?? "", "--replace", "--skip-cache"], { stdin: text });
  try {
    const script = "cat /proc/self/attr/current; echo x >/data/x; echo x >/tmp/x";
    expect(await shell(engine, script, { SecurityOpt: [`apparmor=${name}`] })).toBe(
      `${name} (enforce)\nsh: can't create /data/x: Permission denied`,
    );
  } finally {
    await output([parser ?? "", "--remove", "--skip-cache"], { stdin: text });
  }
  const box = await engine.create(["true"], { HostConfig: { SecurityOpt: [`apparmor=${name}`] } });
  await expect(box.start()).rejects.toThrow("unable to apply apparmor profile: ");
  expect((await box.inspect()).State).toMatchObject({ Status: "created", Running: false });
});
