/** `network connect` and `network disconnect`: of running, paused and stopped containers, and what is refused. */
import { expect, test } from "bun:test";
import type { Box } from "./harness/box.ts";
import { shell } from "./harness/change.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

const connect = (engine: Engine, network: string, box: Box, EndpointConfig: object = {}) =>
  engine.wire.bytes("POST", `/networks/${network}/connect`, { body: { Container: box.id, EndpointConfig } });
const disconnect = (engine: Engine, network: string, Container: string, Force = false) =>
  engine.wire.bytes("POST", `/networks/${network}/disconnect`, { body: { Container, Force } });
const networks = async (box: Box) => Object.keys((await box.inspect()).NetworkSettings.Networks).toSorted();
const links = async (box: Box) => (await shell(box, "ls /sys/class/net")).trim().split(/\s+/);

test("a container leaves all its networks and joins others, whether it runs or not, and restarts with what it has", async () => {
  await using engine = await startEngine();
  for (const Name of ["area", "zone"]) await engine.wire.json("POST", "/networks/create", { Name });
  const box = await engine.run(["sleep", "600"]);
  await disconnect(engine, "bridge", box.id);
  expect(await networks(box)).toEqual([]);
  expect(await links(box)).toEqual(["lo"]);
  expect((await box.inspect()).HostConfig.NetworkMode).toBe("bridge");
  await box.stop(0);
  await box.start();
  expect(await networks(box)).toEqual([]);
  expect(await links(box)).toEqual(["lo"]);

  await engine.wire.bytes("POST", `/containers/${box.id}/pause`);
  await connect(engine, "area", box, { Aliases: ["crane"], GwPriority: 3 });
  await engine.wire.bytes("POST", `/containers/${box.id}/unpause`);
  expect(await links(box)).toEqual(["eth0", "lo"]);
  await box.stop(0);
  await connect(engine, "zone", box);
  expect(await networks(box)).toEqual(["area", "zone"]);
  // A stopped container that is in already stays as it is.
  await connect(engine, "area", box, { Aliases: ["other"] });
  await box.start();
  expect(await links(box)).toEqual(["eth0", "eth1", "lo"]);
  const { area, zone } = (await box.inspect()).NetworkSettings.Networks;
  expect(area).toMatchObject({
    Aliases: ["crane"],
    GwPriority: 3,
    DNSNames: [expect.any(String), "crane", box.id.slice(0, 12)],
  });
  expect(area?.EndpointID).toMatch(/^[0-9a-f]{64}$/);
  expect(await shell(box, "ip route | grep default")).toBe(`default via ${area?.Gateway} dev eth0 \n`);
  await box.stop(0);
  await disconnect(engine, "area", box.id);
  await box.start();
  expect(await networks(box)).toEqual(["zone"]);
  expect(await shell(box, "ip route | grep default")).toBe(`default via ${zone?.Gateway} dev eth0 \n`);
  await connect(engine, "bridge", box);
  expect(await networks(box)).toEqual(["bridge", "zone"]);
});

test("inspect shows no empty settings, and a stopped container's networks by their ids", async () => {
  await using engine = await startEngine();
  const subnet = "10.213.77.0/24";
  const { Id } = await engine.wire.json<{ Id: string }>("POST", "/networks/create", {
    Name: "quay",
    IPAM: { Config: [{ Subnet: subnet, IPRange: "", Gateway: "", AuxiliaryAddresses: null }] },
  });
  expect(await engine.wire.json("GET", "/networks/quay")).toMatchObject({
    IPAM: { Config: [{ Subnet: subnet, Gateway: "10.213.77.1" }] },
  });
  const network = await engine.wire.json<{ IPAM: { Config: object[] } }>("GET", "/networks/quay");
  expect(network.IPAM.Config.map(Object.keys)).toEqual([["Subnet", "Gateway"]]);
  const IPAMConfig = { IPv4Address: "10.213.77.9" };
  const box = await engine.run(["sleep", "600"], {
    HostConfig: { NetworkMode: "quay" },
    NetworkingConfig: { EndpointsConfig: { quay: { IPAMConfig } } },
  });
  const endpoint = async () => (await box.inspect()).NetworkSettings.Networks["quay"];
  expect((await endpoint())?.IPAMConfig).toEqual(IPAMConfig);
  await box.stop(0);
  expect(await endpoint()).toMatchObject({ NetworkID: Id, EndpointID: "", IPAddress: "" });
});

test("what cannot be is refused in Docker's words", async () => {
  await using engine = await startEngine();
  await engine.wire.json("POST", "/networks/create", { Name: "area" });
  const run = (NetworkMode: string) => engine.run(["sleep", "600"], { HostConfig: { NetworkMode } });
  const host = await run("host");
  const none = await run("none");
  const plain = await engine.run(["sleep", "600"], { name: "plain" });
  const guest = await run(`container:${plain.id}`);
  const shared =
    "container sharing network namespace with another container or host cannot be connected to any other network";
  const apart = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
  const refused: [() => Promise<unknown>, number, string][] = [
    [() => connect(engine, "area", host), 400, shared],
    [() => connect(engine, "area", guest), 400, shared],
    [() => connect(engine, "area", none), 400, apart],
    [() => connect(engine, "none", plain), 400, apart],
    [
      () => connect(engine, "host", plain),
      400,
      "cannot connect container to host network - container must be created in host network mode",
    ],
    [
      () => disconnect(engine, "host", host.id),
      400,
      "cannot disconnect container from host network - container was created in host network mode",
    ],
    [() => connect(engine, "bridge", plain), 403, "endpoint with name plain already exists in network bridge"],
    [() => connect(engine, "absent", plain), 404, "network absent not found"],
    [() => disconnect(engine, "area", plain.id), 409, `container ${plain.id} is not connected to network area`],
    [() => disconnect(engine, "area", "absent"), 404, "No such container: absent"],
    [() => disconnect(engine, "area", "absent", true), 404, "endpoint absent not found"],
    [() => disconnect(engine, "absent", "absent", true), 404, "network absent not found"],
  ];
  for (const name of ["host", "none"]) {
    const NetworkingConfig = { EndpointsConfig: { [name]: { IPAMConfig: { IPv4Address: "192.0.2.7" } } } };
    refused.push([
      () => engine.create(["true"], { HostConfig: { NetworkMode: name }, NetworkingConfig }),
      400,
      `invalid config for network ${name}: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only`,
    ]);
  }
  for (const [work, status, message] of refused) await expect(work()).rejects.toMatchObject({ status, message });
  await disconnect(engine, "none", none.id);
  await connect(engine, "area", none);
  expect(await networks(none)).toEqual(["area"]);
  expect(await links(none)).toEqual(["eth0", "lo"]);
  await plain.stop(0);
  await expect(disconnect(engine, "area", plain.id)).rejects.toMatchObject({
    status: 409,
    message: `container ${plain.id} is not connected to the network area`,
  });
  await none.stop(0);
  await disconnect(engine, "area", none.id, true);
  expect(await networks(none)).toEqual([]);
});
