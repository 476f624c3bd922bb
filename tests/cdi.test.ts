/** Devices by the name that a vendor's file gives them, and what `--gpus` makes of it. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine } from "./harness/engine.ts";

const folder = "/var/run/cdi";

/** The folder where every daemon of this host looks; it goes again where this host had none. */
function specFolder(): Disposable {
  const made = !existsSync(folder);
  mkdirSync(folder, { recursive: true });
  return { [Symbol.dispose]: () => made && rmdirSync(folder) };
}

/** A file in there, for a vendor that nobody else has. */
function describe(kind: string, name: string, text: string): Disposable {
  const path = join(folder, name);
  writeFileSync(path, text.replaceAll("KIND", kind));
  return { [Symbol.dispose]: () => rmSync(path) };
}

const request = (...names: string[]) => ({
  DeviceRequests: [{ Driver: "cdi", Count: 0, DeviceIDs: names, Capabilities: null, Options: null }],
});

test("a device comes with its nodes, variables, mounts, groups and hooks", async () => {
  await using engine = await startEngine();
  using _folder = specFolder();
  const vendor = `test-${process.pid}.example/box`;
  const witness = join(engine.execRoot, "hooks");
  const hook = (hookName: string) => ({
    hookName,
    path: "/bin/sh",
    args: [
      "sh",
      "-c",
      `cat >/dev/null; ${hookName === "poststop" ? "sleep 0.5; " : ""}echo ${hookName} $WHO >> ${witness}`,
    ],
    env: ["WHO=vendor"],
  });
  using _json = describe(
    vendor,
    `berth-${process.pid}.json`,
    JSON.stringify({
      cdiVersion: "0.6.0",
      kind: "KIND",
      devices: [
        {
          name: "one",
          containerEdits: {
            deviceNodes: [
              { path: "/dev/vendor/one", hostPath: "/dev/kmsg", permissions: "r", fileMode: 0o640, gid: 7 },
            ],
            env: ["ONE=1", "PATH=/bin:/vendor"],
          },
        },
        { name: "two", containerEdits: { deviceNodes: [{ path: "/dev/two", type: "c", major: 1, minor: 7 }] } },
      ],
      containerEdits: {
        env: ["BOTH=yes"],
        additionalGids: [4242],
        mounts: [{ hostPath: "/etc/os-release", containerPath: "/vendor/release", options: ["ro", "bind"] }],
        hooks: [hook("createRuntime"), hook("poststart"), hook("poststop")],
      },
    }),
  );
  using _yaml = describe(
    vendor,
    `berth-${process.pid}.yaml`,
    "cdiVersion: 0.5.0\nkind: KIND\ndevices:\n- name: three\n  containerEdits:\n    env: [THREE=3]\n",
  );
  const script = [
    "stat -c '%n %t:%T %a %g' /dev/vendor/one /dev/two",
    "echo $ONE $BOTH $THREE $PATH",
    "id -G",
    "test -s /vendor/release && echo mounted",
    "echo x > /vendor/release || echo read-only",
    "dd if=/dev/vendor/one of=/dev/null count=0 && echo readable",
    "(echo x > /dev/vendor/one) 2>/dev/null || echo closed",
  ].join("; ");
  const box = await engine.run(["sh", "-c", script], {
    HostConfig: { ...request(`${vendor}=one`, `${vendor}=two`), CapAdd: ["SYSLOG"] },
  });
  expect(await box.wait()).toBe(0);
  expect((await box.logs()).stdout.split("\n")).toEqual([
    "/dev/vendor/one 1:b 640 7",
    expect.stringMatching(/^\/dev\/two 1:7 \d+ 0$/),
    "1 yes /bin:/vendor",
    expect.stringMatching(/\b4242\b/),
    "mounted",
    "read-only",
    "readable",
    "closed",
    "",
  ]);
  // Whoever is told of the end may count on the vendor's clean-up.
  expect((await Bun.file(witness).text()).trim().split("\n").toSorted()).toEqual([
    "createRuntime vendor",
    "poststart vendor",
    "poststop vendor",
  ]);
  await box.remove();
  const three = await engine.berth([
    "run",
    "--rm",
    "--device",
    `${vendor}=three`,
    "berth-test",
    "sh",
    "-c",
    "echo $THREE$BOTH",
  ]);
  expect(three).toMatchObject({ code: 0, stdout: "3\n" });
});

test("what no file describes cannot be started, and two that differ name nothing", async () => {
  await using engine = await startEngine();
  using _folder = specFolder();
  const vendor = `clash-${process.pid}.example/box`;
  const text = (name: string) =>
    `{"cdiVersion":"0.6.0","kind":"KIND","devices":[{"name":"${name}","containerEdits":{}}]}`;
  using _first = describe(vendor, `berth-clash-${process.pid}-a.json`, text("same"));
  using _second = describe(vendor, `berth-clash-${process.pid}-b.json`, text("same"));
  using _broken = describe(vendor, `berth-clash-${process.pid}-c.json`, text("x").replace("{}", '{"unknown":1}'));
  for (const name of ["same", "other", "x"]) {
    const box = await engine.create(["true"], { HostConfig: request(`${vendor}=${name}`) });
    await expect(box.start()).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(`CDI device injection failed: unresolvable CDI devices ${vendor}=${name}`),
    });
    expect((await box.inspect()).State.Status).toBe("created");
  }
  const counted = { ...request(`${vendor}=same`).DeviceRequests[0], Count: 2 };
  await expect(engine.create(["true"], { HostConfig: { DeviceRequests: [counted] } as object })).rejects.toMatchObject({
    status: 400,
    message: "cannot set count in device request for CDI",
  });
  const info = await engine.wire.json<{ CDISpecDirs: string[] }>("GET", "/info");
  expect(info.CDISpecDirs).toEqual(["/etc/cdi", "/var/run/cdi"]);
});
