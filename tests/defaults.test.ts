/** What the daemon's configuration says for containers and networks that do not say it themselves. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { NetworkInspect } from "#api/types/network.ts";
import type { SystemInfo } from "#api/types/system.ts";
import { startEngine } from "./harness/engine.ts";
import { busyboxLayer } from "./harness/image.ts";
import { until } from "./harness/process.ts";
import { LocalRegistry } from "./harness/registry.ts";

test("containers get the daemon's defaults, and keep what they choose", async () => {
  await using engine = await startEngine({
    arguments: [
      "--default-ulimit=nofile=1000:2000",
      "--default-ulimit=core=0",
      "--default-shm-size=32m",
      "--default-ipc-mode=shareable",
      "--default-cgroupns-mode=private",
      "--cgroup-parent=/berth-defaults",
      "--init",
    ],
  });
  const box = await engine.run(["sh", "-c", "ulimit -n; cat /proc/1/cmdline | tr '\\0' ' '"]);
  await box.wait();
  const [files, first] = (await box.logs()).stdout.split("\n");
  expect(files).toBe("1000");
  expect(first).toStartWith("/sbin/docker-init --");
  expect((await box.inspect()).HostConfig).toMatchObject({
    ShmSize: 32 * 1024 ** 2,
    IpcMode: "shareable",
    CgroupnsMode: "private",
    CgroupParent: "/berth-defaults",
    Init: true,
    Ulimits: expect.arrayContaining([{ Name: "core", Soft: 0, Hard: 0 }]),
  });
  const own = await engine.create(["true"], {
    HostConfig: {
      ShmSize: 1024 ** 2,
      IpcMode: "private",
      CgroupParent: "/berth-own",
      Init: false,
      Ulimits: [{ Name: "nofile", Soft: 10, Hard: 10 }],
    },
  });
  expect((await own.inspect()).HostConfig).toMatchObject({
    ShmSize: 1024 ** 2,
    IpcMode: "private",
    CgroupParent: "/berth-own",
    Init: false,
    Ulimits: [
      { Name: "nofile", Soft: 10, Hard: 10 },
      { Name: "core", Soft: 0, Hard: 0 },
    ],
  });
});

test("the default bridge and the pools of networks are as the daemon was told", async () => {
  const second = Math.floor(Math.random() * 200);
  const net = `10.252.${second}`;
  await using engine = await startEngine({
    arguments: [
      `--bip=${net}.1/24`,
      `--fixed-cidr=${net}.128/25`,
      "--mtu=1400",
      "--ip=127.0.0.1",
      "--icc=false",
      `--default-address-pool=base=10.253.${second}.0/24,size=28`,
    ],
  });
  const box = await engine.run(["sh", "-c", "cat /sys/class/net/eth0/mtu; sleep 60"], {
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: "" }] } },
  });
  const { NetworkSettings } = await box.inspect();
  const address = NetworkSettings.Networks["bridge"]?.IPAddress ?? "";
  expect(Number(address.split(".")[3])).toBeGreaterThanOrEqual(128);
  expect(NetworkSettings.Ports["80/tcp"]?.map(({ HostIp }) => HostIp)).toEqual(["127.0.0.1"]);
  const mtu = await until("the container tells its MTU", async () => (await box.logs()).stdout || undefined);
  expect(mtu).toBe("1400\n");
  expect(await engine.wire.json<NetworkInspect>("GET", "/networks/bridge")).toMatchObject({
    IPAM: { Config: [{ Subnet: `${net}.0/24`, IPRange: `${net}.128/25`, Gateway: `${net}.1` }] },
    Options: {
      "com.docker.network.bridge.enable_icc": "false",
      "com.docker.network.bridge.enable_ip_masquerade": "true",
      "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
      "com.docker.network.driver.mtu": "1400",
    },
  });
  const { Id } = await engine.wire.json<{ Id: string }>("POST", "/networks/create", { Name: "pooled" });
  const { IPAM } = await engine.wire.json<NetworkInspect>("GET", `/networks/${Id}`);
  expect(IPAM.Config?.[0]?.Subnet).toMatch(new RegExp(`^10\\.253\\.${second}\\.\\d+/28$`));
  expect(await engine.wire.json<SystemInfo>("GET", "/info")).toMatchObject({
    DefaultAddressPools: [{ Base: `10.253.${second}.0/24`, Size: 28 }],
  });
});

test("registries are reached through the proxy that the daemon was told of, its password untold", async () => {
  using registry = new LocalRegistry();
  const digest = registry.publish("box", "1", [await busyboxLayer()]);
  const asked: string[] = [];
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const url = new URL(request.url);
      asked.push(url.host);
      const answer = await fetch(`http://${registry.host}${url.pathname}${url.search}`, { headers: request.headers });
      return new Response(await answer.bytes(), { status: answer.status, headers: answer.headers });
    },
  });
  try {
    await using engine = await startEngine({
      image: false,
      arguments: [
        `--http-proxy=http://me:secret@127.0.0.1:${proxy.port}`,
        "--no-proxy=near.invalid",
        "--insecure-registry=far.invalid:5000",
      ],
    });
    const pulled = await engine.wire.bytes("POST", "/images/create?fromImage=far.invalid:5000/box&tag=1");
    expect(new TextDecoder().decode(pulled)).toContain(`Digest: ${digest}`);
    expect(new Set(asked)).toEqual(new Set(["far.invalid:5000"]));
    expect(await engine.wire.json<SystemInfo>("GET", "/info")).toMatchObject({
      HttpProxy: `http://xxxxx:xxxxx@127.0.0.1:${proxy.port}`,
      NoProxy: "near.invalid",
    });
    expect(await engine.log()).not.toContain("secret");
  } finally {
    await proxy.stop(true);
  }
});

test("the daemon's system call filter holds for containers that choose none, and are not privileged", async () => {
  const folder = await mkdtemp("/var/tmp/bt-seccomp-");
  const profile = join(folder, "profile.json");
  const deny = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" };
  await Bun.write(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [deny] }));
  try {
    await using engine = await startEngine({ arguments: [`--seccomp-profile=${profile}`] });
    const made = async (hostConfig: object): Promise<boolean> =>
      (await (await engine.run(["mkdir", "/made"], { HostConfig: hostConfig })).wait()) === 0;
    expect(await made({})).toBe(false);
    expect(await made({ SecurityOpt: ["seccomp=builtin"] })).toBe(true);
    expect(await made({ SecurityOpt: ["seccomp=unconfined"] })).toBe(true);
    expect(await made({ Privileged: true })).toBe(true);
    const { SecurityOptions } = await engine.wire.json<SystemInfo>("GET", "/info");
    expect(SecurityOptions).toContain(`name=seccomp,profile=${profile}`);
    await Bun.write(profile, "{");
    await engine.stop();
    await expect(engine.start()).rejects.toThrow("seccomp");
    await Bun.write(profile, "{}");
    await engine.start();
  } finally {
    await rm(folder, { recursive: true });
  }
});
