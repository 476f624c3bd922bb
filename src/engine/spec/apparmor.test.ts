import { expect, test } from "bun:test";
import { appArmorProfile, defaultAppArmorProfile } from "./apparmor.ts";
import { appArmorProfileOf, buildSpec } from "./build.ts";
import { emptyConfig, emptyHostConfig, thisHost } from "./testing.ts";

test("the profile denies mounting, kernel settings and what is outside it", () => {
  const text = appArmorProfile(defaultAppArmorProfile);
  for (const rule of ["deny mount,", "deny @{PROC}/kcore rwklx,", "deny /sys/firmware/** wklx,", "deny network alg,"]) {
    expect(text).toContain(`  ${rule}\n`);
  }
  expect(text).toContain('ptrace (trace,read,tracedby,readby) peer="berth-default{,//&crun,//&runc}",');
  expect(text.split("{").length).toBe(text.split("}").length);
});

const parser = Bun.which("apparmor_parser", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` });
test.if(parser !== null)("apparmor_parser, where it is installed, compiles it", async () => {
  const child = Bun.spawn([parser ?? "", "--skip-kernel-load", "--skip-cache"], {
    stdin: new Blob([appArmorProfile(defaultAppArmorProfile)]),
    stdout: "ignore",
    stderr: "pipe",
  });
  const [errors, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect(code === 0 ? "" : errors).toBe("");
});

test("a container is confined by it unless it is privileged or names another", () => {
  const host = { ...thisHost(), apparmor: true };
  const profile = (changes: Parameters<typeof emptyHostConfig>[0]) => appArmorProfileOf(host, emptyHostConfig(changes));
  expect(profile({})).toBe("berth-default");
  expect(profile({ Privileged: true })).toBe("unconfined");
  expect(profile({ SecurityOpt: ["apparmor=mine"] })).toBe("mine");
  expect(appArmorProfileOf({ ...host, apparmor: false }, emptyHostConfig())).toBe("");
  const { spec } = buildSpec(
    {
      id: "x",
      config: emptyConfig({ Cmd: ["true"] }),
      hostConfig: emptyHostConfig(),
      rootfs: "/",
      user: { uid: 0, gid: 0, additionalGids: [0], home: "/", username: "" },
      mounts: [],
      files: {},
      namespaces: { network: "new" },
    },
    host,
  );
  expect(spec.process.apparmorProfile).toBe("berth-default");
});
