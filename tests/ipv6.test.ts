/** Networks with IPv6 and published ports on it, by the API and the command line, over the life of a daemon. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { NetworkCreateBody, NetworkInspect } from "#api/types/network.ts";
import { defaultNames } from "#engine/network/names.ts";
import { ask, askAll, listen } from "#engine/network/peers.ts";
import { Nftables } from "#linux/nftables.ts";
import type { Box } from "./harness/box.ts";
import { change } from "./harness/change.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

/** A prefix that no other daemon of this machine is likely to use. */
function prefix(): string {
  const group = () => Math.floor(Math.random() * 0xffff).toString(16);
  return `fd42:${group()}:${group()}`;
}

async function create(engine: Engine, body: Partial<NetworkCreateBody>): Promise<NetworkInspect> {
  await engine.wire.json("POST", "/networks/create", body);
  return await engine.wire.json("GET", `/networks/${body.Name ?? ""}`);
}

async function ports(box: Box): Promise<Record<string, { HostIp: string; HostPort: string }[] | null>> {
  return (await box.inspect()).NetworkSettings.Ports;
}

async function hostPort(box: Box, port: string): Promise<number> {
  return Number((await ports(box))[port]?.[0]?.HostPort);
}

const anywhere = [{ HostIp: "", HostPort: "" }];

test("create --ipv6 and run --ip6: what the command line asks for is what inspect shows and the container has", async () => {
  await using engine = await startEngine();
  const base = prefix();
  const words = (text: string): string[] => text.split(" ");
  const addresses = `--gateway ${base}::fe --ip-range ${base}::1:0/112 --aux-address crane=${base}::1:0`;
  const made = await engine.berth(words(`network create --ipv6 --ipv4=false --subnet ${base}::/64 ${addresses} quay`));
  expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
  const run = `run -d --network quay --ip6 ${base}:0:0:0:0:ABCD --name chosen ${testImage} sleep 600`;
  const chosen = await engine.berth(words(run));
  expect(chosen.stderr).toBe("");
  const box = await engine.run(["sleep", "600"], { name: "box", HostConfig: { NetworkMode: "quay" } });
  const network = await engine.wire.json<NetworkInspect>("GET", "/networks/quay");
  expect(network).toMatchObject({
    EnableIPv4: false,
    EnableIPv6: true,
    IPAM: {
      Config: [
        {
          Subnet: `${base}::/64`,
          Gateway: `${base}::fe`,
          IPRange: `${base}::1:0/112`,
          AuxiliaryAddresses: { crane: `${base}::1:0` },
        },
      ],
    },
  });
  const { NetworkSettings } = await box.inspect();
  expect(NetworkSettings).toMatchObject({ IPAddress: "", GlobalIPv6Address: "" });
  expect(NetworkSettings.Networks["quay"]).toMatchObject({
    IPAddress: "",
    IPPrefixLen: 0,
    Gateway: "",
    GlobalIPv6Address: `${base}::1:1`,
    GlobalIPv6PrefixLen: 64,
    IPv6Gateway: `${base}::fe`,
  });
  const members = Object.values(network.Containers).map(
    ({ Name, IPv4Address, IPv6Address }) => `${Name} ${IPv4Address} ${IPv6Address}`,
  );
  expect(new Set(members)).toEqual(new Set([`box  ${base}::1:1/64`, `chosen  ${base}::abcd/64`]));
  expect((await box.exec(["cat", "/etc/hosts"])).stdout).toContain(`\n${base}::1:1\t`);
  expect((await box.exec(["cat", "/proc/net/ipv6_route"])).stdout).toContain("eth0");
  // An address can be used by the first program at once, and names lead to it.
  const first = await engine.run(["sh", "-c", "ping -6 -c 1 -W 5 chosen"], { HostConfig: { NetworkMode: "quay" } });
  expect({ code: await first.wait(), logs: await first.logs() }).toMatchObject({ code: 0 });
});

test("a network of both families takes free subnets of its own; one of IPv4 has no IPv6 inside", async () => {
  await using engine = await startEngine();
  await using other = await startEngine({ image: false });
  const networks = [
    await create(engine, { Name: "one", EnableIPv6: true }),
    await create(engine, { Name: "two", Options: { "com.docker.network.enable_ipv6": "true" } }),
    await create(other, { Name: "one", EnableIPv6: true }),
  ];
  const subnets = networks.map(({ IPAM }) => IPAM.Config?.[1]?.Subnet ?? "");
  expect(new Set(subnets).size).toBe(3);
  for (const subnet of subnets) expect(subnet).toMatch(/^fd[0-9a-f:]+::\/64$/);
  // Of one daemon they are in one prefix of 48 bits, of two they are not.
  const site = (subnet = "") => subnet.split(":").slice(0, 3).join(":");
  expect(site(subnets[0])).toBe(site(subnets[1]));
  expect(site(subnets[0])).not.toBe(site(subnets[2]));
  const box = await engine.run(["sleep", "600"]);
  const read = async () => (await box.exec(["cat", "/proc/sys/net/ipv6/conf/eth0/disable_ipv6"])).stdout;
  expect(await read()).toBe("1\n");
  await engine.wire.bytes("POST", "/networks/one/connect", { body: { Container: box.id } });
  expect(await read()).toBe("1\n");
  expect((await box.exec(["cat", "/proc/sys/net/ipv6/conf/eth1/disable_ipv6"])).stdout).toBe("0\n");
  const { Networks } = (await box.inspect()).NetworkSettings;
  expect(Networks["one"]?.GlobalIPv6Address).toMatch(/::2$/);
});

test("a published port has one number in both families, and goes on while daemons die and tables vanish", async () => {
  await using engine = await startEngine();
  await create(engine, { Name: "dual", EnableIPv6: true });
  const box = await engine.run(["sleep", "600"], {
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    HostConfig: { NetworkMode: "dual", PortBindings: { "80/tcp": anywhere, "53/udp": anywhere } },
  });
  const port = await hostPort(box, "80/tcp");
  expect((await ports(box))["80/tcp"]).toEqual([
    { HostIp: "0.0.0.0", HostPort: String(port) },
    { HostIp: "::", HostPort: String(port) },
  ]);
  const { Gateway, IPv6Gateway } = (await box.inspect()).NetworkSettings.Networks["dual"] ?? {};
  const namespace = await box.namespace();
  await using _tcp = await listen(namespace, "tcp", 80);
  await using _udp = await listen(namespace, "udp", 53);
  const udp = await hostPort(box, "53/udp");
  const seen = async () =>
    await askAll(undefined, [
      ["tcp", "127.0.0.1", port],
      ["tcp", "::1", port],
      ["udp", "::1", udp],
      ["tcp", IPv6Gateway ?? "", port],
    ]);
  const expected = [Gateway, IPv6Gateway, IPv6Gateway, IPv6Gateway] as string[];
  expect(await seen()).toEqual(expected);
  await engine.kill9();
  expect(await seen()).toEqual(expected);
  // Before IPv6 the table was one of IPv4: the next daemon takes its place.
  const { table } = defaultNames(engine.execRoot);
  using nft = new Nftables();
  const old = `table ip ${table} { map published { type inet_proto . inet_service : ipv4_addr . inet_service; }; }`;
  nft.run("cannot put an old table in place", `delete table inet ${table}\n${old}`);
  expect(await ask(undefined, "tcp", "::1", port)).not.toBe(IPv6Gateway ?? "");
  await engine.start();
  expect(nft.list(`table ip ${table}`)).toBeUndefined();
  expect(await seen()).toEqual(expected);
  expect((await ports(box))["80/tcp"]).toHaveLength(2);
  nft.run("cannot remove the table", `delete table inet ${table}`);
  await until("the table is back", async () => (await ask(undefined, "tcp", "::1", port)) === IPv6Gateway);
  expect(await seen()).toEqual(expected);
});

test("ports come and go on a running container in both families, or in the one that is named", async () => {
  await using engine = await startEngine();
  await create(engine, { Name: "dual", EnableIPv6: true });
  const box = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: "dual" } });
  await using _listener = await listen(await box.namespace(), "tcp", 80, 81);
  await change(engine, box, {
    PortBindings: { Add: { "80/tcp": anywhere, "81/tcp": [{ HostIp: "::1", HostPort: "" }] } },
  });
  const port = await hostPort(box, "80/tcp");
  const loopback = await hostPort(box, "81/tcp");
  const answers = async () => {
    const found = await askAll(undefined, [
      ["tcp", "127.0.0.1", port],
      ["tcp", "::1", port],
      ["tcp", "::1", loopback],
    ]);
    return found.map((one) => one !== "refused");
  };
  expect(await answers()).toEqual([true, true, true]);
  await change(engine, box, { PortBindings: { Remove: [{ Port: "80/tcp", HostIp: "0.0.0.0" }, { Port: "81" }] } });
  expect(await answers()).toEqual([false, true, false]);
  // What is left of a port that named no address is published there, and only there, at the next start too.
  expect((await box.inspect()).HostConfig.PortBindings).toEqual({ "80/tcp": [{ HostIp: "::", HostPort: "" }] });
  await change(engine, box, { PortBindings: { Remove: [{ Port: "80" }] } });
  expect(await answers()).toEqual([false, false, false]);
  expect(await ports(box)).toEqual({});
});

test("a port of the host in the other family is refused, and a taken one is, in whichever family", async () => {
  await using engine = await startEngine();
  await create(engine, { Name: "dual", EnableIPv6: true });
  const publish = (HostIp: string, HostPort = "", NetworkMode = "dual") => ({
    HostConfig: { NetworkMode, PortBindings: { "80/tcp": [{ HostIp, HostPort }] } },
  });
  const plain = await engine.create(["sleep", "600"], publish("::1", "", "bridge"));
  await expect(plain.start()).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("cannot publish port 80/tcp on ::1: the container has no IPv6 address"),
  });
  const holder = await engine.run(["sleep", "600"], publish("::"));
  const port = String(await hostPort(holder, "80/tcp"));
  const taken = async (address: string) => {
    const box = await engine.create(["sleep", "600"], publish(address, port));
    const failure = await box.start().then(
      () => "",
      (error: Error) => error.message,
    );
    await box.remove({ force: true });
    return failure;
  };
  expect(await taken("")).toContain(`Bind for :::${port} failed: port is already allocated`);
  expect(await taken("::1")).toContain(`Bind for ::1:${port} failed: port is already allocated`);
  // The other family is free.
  expect(await taken("127.0.0.1")).toBe("");
});

test("the default bridge has IPv6 where the daemon is told so", async () => {
  const base = prefix();
  await using engine = await startEngine({ arguments: ["--ipv6", "--fixed-cidr-v6", `${base}::/64`] });
  const box = await engine.run(["sleep", "600"], { HostConfig: { PortBindings: { "80/tcp": anywhere } } });
  const { NetworkSettings } = await box.inspect();
  expect(NetworkSettings).toMatchObject({
    GlobalIPv6Address: `${base}::2`,
    GlobalIPv6PrefixLen: 64,
    IPv6Gateway: `${base}::1`,
  });
  await using _listener = await listen(await box.namespace(), "tcp", 80);
  expect(await ask(undefined, "tcp", "::1", await hostPort(box, "80/tcp"))).toBe(`${base}::1`);
  expect(readFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "utf8")).toBe("1\n");
  const network = await engine.wire.json<NetworkInspect>("GET", "/networks/bridge");
  expect(network.IPAM.Config?.[1]).toEqual({ Subnet: `${base}::/64`, IPRange: `${base}::/64`, Gateway: `${base}::1` });
  // It is part of what does not change while containers use the bridge.
  await engine.restart();
  expect((await box.inspect()).NetworkSettings.GlobalIPv6Address).toBe(`${base}::2`);
});
