/** Networks that hold settings, and networks made from them. */
import { expect, test } from "bun:test";
import type { NetworkCreateBody, NetworkInspect, NetworksPruneResponse } from "#api/types/network.ts";
import { startEngine } from "./harness/engine.ts";

test("a network takes its settings from a configuration network, which stays while it is used", async () => {
  await using engine = await startEngine();
  const create = (body: NetworkCreateBody) => engine.wire.json<{ Id: string }>("POST", "/networks/create", body);
  const inspect = (name: string) => engine.wire.json<NetworkInspect>("GET", `/networks/${name}`);
  const base = `10.${150 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 250)}`;
  const IPAM = { Driver: "default", Options: null, Config: [{ Subnet: `${base}.0/24`, Gateway: `${base}.9` }] };
  const Options = { "com.docker.network.driver.mtu": "1400" };
  await create({ Name: "held", ConfigOnly: true, IPAM, Options, Labels: { team: "harbour" } });
  expect(await inspect("held")).toMatchObject({
    Driver: "null",
    Scope: "local",
    ConfigOnly: true,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM,
    Options,
    Labels: { team: "harbour" },
  });
  await create({ Name: "quay", ConfigFrom: { Network: "held" }, Internal: true });
  expect(await inspect("quay")).toMatchObject({
    Driver: "bridge",
    ConfigOnly: false,
    ConfigFrom: { Network: "held" },
    Internal: true,
    IPAM: { Config: IPAM.Config },
    Options,
    Labels: { team: "harbour" },
  });
  const box = await engine.run(["cat", "/sys/class/net/eth0/mtu"], { HostConfig: { NetworkMode: "quay" } });
  await box.wait();
  expect((await box.logs()).stdout).toBe("1400\n");
  await box.remove();

  const own = "user specified configurations are not supported if the network depends on a configuration network";
  const options = "network driver options are not supported if the network depends on a configuration network";
  const fields =
    "configuration network can only contain network specific fields. " +
    "Network operator fields like [ ingress | internal | attachable | scope ] are not supported.";
  const from = { Network: "held" };
  const refused: [NetworkCreateBody, number, string][] = [
    [{ Name: "a", ConfigOnly: true, Internal: true }, 403, fields],
    [{ Name: "a", ConfigOnly: true, Scope: "local" }, 403, fields],
    [
      { Name: "a", ConfigOnly: true, ConfigFrom: from },
      403,
      "a configuration network cannot depend on another configuration network",
    ],
    [{ Name: "a", ConfigFrom: from, Labels: { a: "b" } }, 403, own],
    [{ Name: "a", ConfigFrom: from, EnableIPv6: true }, 403, own],
    [{ Name: "a", ConfigFrom: from, Options }, 403, options],
    [{ Name: "a", ConfigFrom: { Network: "quay" } }, 404, 'configuration network "quay" does not exist'],
    [{ Name: "a", Ingress: true }, 403, "Ingress network can only be global scope network"],
    [{ Name: "a", Scope: "swarm" }, 403, "cannot create a swarm scoped network when swarm is not active"],
    [{ Name: "held", ConfigOnly: true }, 409, "network with name held already exists"],
  ];
  for (const [body, status, message] of refused) {
    await expect(create(body)).rejects.toMatchObject({ status, message });
  }
  const member = await engine.create(["true"]);
  await expect(
    engine.wire.bytes("POST", "/networks/held/connect", { body: { Container: member.id } }),
  ).rejects.toMatchObject({ status: 403, message: "cannot create endpoint on configuration-only network" });
  await expect(engine.wire.bytes("DELETE", "/networks/held")).rejects.toMatchObject({
    status: 403,
    message: 'error while removing network: configuration network "held" is in use',
  });
  await engine.kill9();
  await engine.start();
  const pruned = await engine.wire.json<NetworksPruneResponse>("POST", "/networks/prune");
  expect(pruned.NetworksDeleted).toEqual(["quay"]);
  expect((await inspect("held")).ConfigOnly).toBe(true);
  await engine.wire.bytes("DELETE", "/networks/held");
});
