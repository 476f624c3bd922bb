/** User-defined networks: what `create` takes and refuses, what `inspect` shows, and what `rm` and `prune` leave. */
import { expect, test } from "bun:test";
import type { NetworkCreateBody, NetworkInspect, NetworksPruneResponse } from "#api/types/network.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

async function create(engine: Engine, body: Partial<NetworkCreateBody>): Promise<string> {
  return (await engine.wire.json<{ Id: string }>("POST", "/networks/create", body)).Id;
}

/** A subnet that no other daemon of this machine is likely to use. */
function subnet(): string {
  return `10.${150 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 250)}`;
}

test("subnet, gateway, range, MTU, labels and chosen addresses arrive in the container", async () => {
  await using engine = await startEngine();
  const base = subnet();
  const Id = await create(engine, {
    Name: "quay",
    Labels: { team: "harbour" },
    IPAM: { Config: [{ Subnet: `${base}.0/24`, Gateway: `${base}.254`, IPRange: `${base}.128/28` }] },
    Options: { "com.docker.network.driver.mtu": "1400" },
  });
  const first = await engine.run(["sleep", "600"], { name: "first", HostConfig: { NetworkMode: "quay" } });
  const chosen = await engine.run(["sleep", "600"], {
    HostConfig: { NetworkMode: "quay" },
    NetworkingConfig: {
      EndpointsConfig: {
        quay: { IPAMConfig: { IPv4Address: `${base}.77` }, MacAddress: "02:00:00:00:07:07", Aliases: ["crane"] },
      },
    },
  });
  const address = (await first.inspect()).NetworkSettings.Networks["quay"]?.IPAddress ?? "";
  expect(Number(address.split(".")[3])).toBeGreaterThanOrEqual(128);
  expect((await chosen.inspect()).NetworkSettings.Networks["quay"]).toMatchObject({
    IPAddress: `${base}.77`,
    IPPrefixLen: 24,
    Gateway: `${base}.254`,
    MacAddress: "02:00:00:00:07:07",
    NetworkID: Id,
  });
  expect((await chosen.exec(["cat", "/sys/class/net/eth0/mtu"])).stdout).toBe("1400\n");
  expect((await chosen.exec(["cat", "/sys/class/net/eth0/address"])).stdout).toBe("02:00:00:00:07:07\n");
  const network = await engine.wire.json<NetworkInspect>("GET", "/networks/quay");
  expect(network).toMatchObject({ Id, Driver: "bridge", Scope: "local", Labels: { team: "harbour" } });
  expect(network.Containers[first.id]).toMatchObject({ Name: "first", IPv4Address: `${address}/24` });
  await chosen.stop(0);
  await chosen.start();
  expect((await chosen.inspect()).NetworkSettings.Networks["quay"]?.IPAddress).toBe(`${base}.77`);
});

test("what cannot be is refused in Docker's words", async () => {
  await using engine = await startEngine({ image: false });
  const base = subnet();
  await create(engine, { Name: "quay", IPAM: { Config: [{ Subnet: `${base}.0/24` }] } });
  const refused: [Partial<NetworkCreateBody>, number, string][] = [
    [{ Name: "quay" }, 409, "network with name quay already exists"],
    [{ Name: "a", Driver: "weave" }, 404, "could not find plugin weave in v1 plugin registry: plugin not found"],
    [{ Name: "a", EnableIPv4: false }, 400, "IPv4 or IPv6 must be enabled"],
    [
      { Name: "a", IPAM: { Config: [{ Subnet: `${base}.0/25` }] } },
      403,
      "invalid pool request: Pool overlaps with other one on this address space",
    ],
    [
      { Name: "a", IPAM: { Config: [{ Subnet: `${base}.5/24` }] } },
      400,
      `invalid network config:\ninvalid subnet ${base}.5/24: it should be ${base}.0/24`,
    ],
    [{ Name: "host", Driver: "bridge" }, 403, "operation is not permitted on predefined host network "],
    [{ Name: "a", Options: { "com.docker.network.driver.mtu": "x" } }, 400, 'invalid MTU "x"'],
  ];
  for (const [body, status, message] of refused) {
    await expect(create(engine, body)).rejects.toMatchObject({ status, message });
  }
  await expect(engine.wire.bytes("DELETE", "/networks/bridge")).rejects.toMatchObject({
    status: 403,
    message: "bridge is a pre-defined network and cannot be removed",
  });
  await expect(engine.wire.bytes("DELETE", "/networks/absent")).rejects.toMatchObject({
    status: 404,
    message: "network absent not found",
  });
});

test("a network in use stays, prune takes the others", async () => {
  await using engine = await startEngine();
  await create(engine, { Name: "used" });
  await create(engine, { Name: "free" });
  await create(engine, { Name: "kept", Labels: { keep: "" } });
  const box = await engine.run(["sleep", "600"], { name: "boat", HostConfig: { NetworkMode: "used" } });
  const endpoint = (await box.inspect()).NetworkSettings.Networks["used"]?.EndpointID.slice(0, 12);
  await expect(engine.wire.bytes("DELETE", "/networks/used")).rejects.toMatchObject({
    status: 403,
    message: `error while removing network: network used has active endpoints (name:"boat" id:"${endpoint}")`,
  });
  const list = async (filter: object) =>
    (await engine.wire.json<NetworkInspect[]>("GET", `/networks?filters=${encodeURIComponent(JSON.stringify(filter))}`))
      .map(({ Name }) => Name)
      .toSorted();
  expect(await list({ dangling: ["true"] })).toEqual(["free", "kept"]);
  expect(await list({ dangling: ["0"] })).toEqual(["bridge", "host", "none", "used"]);
  expect(await list({ type: ["custom"], label: ["keep"], driver: ["bridge"], scope: ["local"] })).toEqual(["kept"]);
  const wrong: [object, string][] = [
    [{ dangling: ["x"] }, `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`],
    [{ dangling: ["0", "1"] }, 'got more than one value for filter key "dangling"'],
    [{ type: ["odd"] }, "invalid filter: 'type'='odd'"],
    [{ "label!": ["keep"] }, "invalid filter 'label!'"],
  ];
  for (const [filter, message] of wrong) await expect(list(filter)).rejects.toMatchObject({ status: 400, message });
  const filters = encodeURIComponent(JSON.stringify({ "label!": ["keep"] }));
  const pruned = await engine.wire.json<NetworksPruneResponse>("POST", `/networks/prune?filters=${filters}`);
  expect(pruned.NetworksDeleted).toEqual(["free"]);
  const names = (await engine.wire.json<NetworkInspect[]>("GET", "/networks")).map(({ Name }) => Name);
  expect(names.toSorted()).toEqual(["bridge", "host", "kept", "none", "used"]);
});
