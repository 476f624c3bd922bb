/** What a container asks of its interface in one network. */
import { expect, test } from "bun:test";
import { shell } from "./harness/change.ts";
import { startEngine } from "./harness/engine.ts";

test("name, sysctls and link-local addresses of an interface, at create and at connect", async () => {
  await using engine = await startEngine();
  for (const Name of ["area", "zone"]) await engine.wire.json("POST", "/networks/create", { Name });
  const options = (name: string) => ({
    "com.docker.network.endpoint.ifname": name,
    "com.docker.network.endpoint.sysctls":
      "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.neigh.ifname.retrans_time_ms=700",
    "my.own": "kept",
  });
  const box = await engine.run(["sleep", "600"], {
    HostConfig: { NetworkMode: "area" },
    NetworkingConfig: {
      EndpointsConfig: { area: { DriverOpts: options("wan"), IPAMConfig: { LinkLocalIPs: ["169.254.7.9"] } } },
    },
  });
  await engine.wire.bytes("POST", "/networks/zone/connect", {
    body: { Container: box.id, EndpointConfig: { DriverOpts: options("lan") } },
  });
  await engine.wire.bytes("POST", "/networks/bridge/connect", { body: { Container: box.id } });
  for (const _ of ["first run", "second run"]) {
    expect((await shell(box, "ls /sys/class/net")).trim().split(/\s+/)).toEqual(["eth0", "lan", "lo", "wan"]);
    expect(await shell(box, "ip -4 -o addr show dev wan")).toContain("169.254.7.9/16");
    for (const name of ["wan", "lan"]) {
      const files = `/proc/sys/net/ipv4/conf/${name}/log_martians /proc/sys/net/ipv4/neigh/${name}/retrans_time_ms`;
      expect(await shell(box, `cat ${files}`)).toBe("1\n700\n");
    }
    expect(await shell(box, "cat /proc/sys/net/ipv4/conf/eth0/log_martians")).toBe("0\n");
    const { area } = (await box.inspect()).NetworkSettings.Networks;
    expect(area).toMatchObject({ DriverOpts: options("wan"), IPAMConfig: { LinkLocalIPs: ["169.254.7.9"] } });
    await box.stop(0);
    await box.start();
  }
});

test("what makes no sense is refused, and a name that is taken leaves what has it", async () => {
  await using engine = await startEngine();
  await engine.wire.json("POST", "/networks/create", { Name: "area" });
  const box = await engine.run(["sleep", "600"]);
  const connect = (EndpointConfig: object) =>
    engine.wire.bytes("POST", "/networks/area/connect", { body: { Container: box.id, EndpointConfig } });
  const option = (key: string, value: string) => ({ DriverOpts: { [`com.docker.network.${key}`]: value } });
  const refused: [object, string][] = [
    [option("endpoint.ifname", "a/b"), 'invalid interface name "a/b"'],
    [option("endpoint.odd", "x"), "the endpoint option com.docker.network.endpoint.odd is not supported"],
    [
      option("endpoint.sysctls", "net.ipv4.conf.eth0.log_martians=1"),
      "unrecognised network interface sysctl 'net.ipv4.conf.eth0.log_martians=1'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'",
    ],
    [{ IPAMConfig: { LinkLocalIPs: ["10.0.0.1"] } }, "invalid link local IP address: 10.0.0.1"],
  ];
  for (const [settings, fault] of refused) {
    await expect(connect(settings)).rejects.toMatchObject({
      status: 400,
      message: `invalid config for network area: invalid endpoint settings:\n${fault}`,
    });
  }
  await expect(connect(option("endpoint.ifname", "eth0"))).rejects.toMatchObject({ status: 409 });
  await expect(connect(option("endpoint.sysctls", "net.ipv4.conf.IFNAME.no_such=1"))).rejects.toMatchObject({
    message: expect.stringContaining("no_such"),
  });
  expect((await shell(box, "ls /sys/class/net")).trim().split(/\s+/)).toEqual(["eth0", "lo"]);
  await connect({});
  expect((await shell(box, "ls /sys/class/net")).trim().split(/\s+/)).toEqual(["eth0", "eth1", "lo"]);
});
