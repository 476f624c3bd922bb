import { expect, test } from "bun:test";
import { openDatabase } from "#store/database.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NetworkStore, networkSchema } from "./store.ts";
import { publishedOf } from "./stored-records.ts";

/** As a daemon wrote them that knew IPv4 alone. */
const network = {
  id: "n1",
  name: "mine",
  driver: "bridge",
  created: "2025-01-01T00:00:00.000Z",
  ipam: { Driver: "default", Options: {}, Config: [{ Subnet: "10.9.0.0/16", Gateway: "10.9.0.1" }] },
  chosenSubnet: true,
  internal: false,
  attachable: false,
  options: {},
  labels: {},
  bridge: {
    device: "bt-n1",
    hostBinding: 0x7f00_0001,
    mtu: 1400,
    interfacePrefix: "eth",
    connected: true,
    masquerade: false,
    subnet: { address: 0x0a09_0000, prefix: 16 },
    gateway: 0x0a09_0001,
    range: { address: 0x0a09_0500, prefix: 24 },
    reserved: [0x0a09_0509],
  },
};
const sandbox = {
  containerId: "c1",
  containerName: "box",
  hostname: "box",
  domainname: "",
  sandboxId: "s1",
  netnsPath: "/run/net/s1",
  endpoints: [
    {
      networkId: "n1",
      networkName: "mine",
      endpointId: "e1",
      interface: "eth0",
      hostInterface: "veth1",
      ipAddress: "10.9.5.0",
      prefixLength: 16,
      gateway: "10.9.0.1",
      macAddress: "02:42:0a:09:05:00",
      aliases: [],
      dnsNames: ["box"],
    },
  ],
  ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] },
  resolvConf: "",
  hosts: "",
  published: [{ protocol: "tcp", containerPort: 80, hostAddress: 0, hostPort: 8080 }],
  priorities: { e1: 0 },
  extraHosts: [],
  gatewayEndpoint: "e1",
};

test("records of a daemon without IPv6 are read as they were meant, and written anew", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-records-"));
  const db = openDatabase(join(folder, "db"), [networkSchema]);
  try {
    const put = (table: string, key: string, id: string, record: object) =>
      db.query(`INSERT INTO ${table} VALUES (${key})`).run(id, JSON.stringify(record));
    put("networks", "?1, 'mine', ?2", "n1", network);
    put("networks", "?1, 'host', ?2", "n2", { id: "n2", name: "host", driver: "host", chosenSubnet: false });
    put("sandboxes", "?1, ?2", "c1", sandbox);
    put("sandboxes", "?1, ?2", "c2", { ...sandbox, containerId: "c2", netnsPath: undefined, published: [] });
    const store = new NetworkStore(db);
    const ipv4 = { subnet: "10.9.0.0/16", gateway: "10.9.0.1", range: "10.9.5.0/24", reserved: ["10.9.5.9"] };
    expect(store.networks.get("n1")?.bridge).toEqual({
      device: "bt-n1",
      hostBinding: "127.0.0.1",
      mtu: 1400,
      interfacePrefix: "eth",
      connected: true,
      masquerade: false,
      ipv4: { ...ipv4, chosen: true, mode: "nat" },
    });
    expect(store.networks.get("n2")).toEqual({ id: "n2", name: "host", driver: "host" } as never);
    const read = store.sandboxes.get("c1");
    expect(read?.published).toEqual([{ protocol: "tcp", containerPort: 80, hostAddress: "0.0.0.0", hostPort: 8080 }]);
    expect(read?.endpoints[0]).toMatchObject({
      ipAddress: "10.9.5.0",
      ipv6Address: "",
      ipv6PrefixLength: 0,
      ipv6Gateway: "",
    });
    expect(store.sandboxes.get("c2")).toHaveProperty("netnsPath", undefined);
    if (read !== undefined) store.putSandbox(read);
    for (const one of store.networks.values()) store.putNetwork(one);
    const again = new NetworkStore(db);
    expect(again.networks).toEqual(store.networks);
    expect(again.sandboxes).toEqual(store.sandboxes);
  } finally {
    db.close();
    rmSync(folder, { recursive: true });
  }
});

test("ports in the journal of an older daemon's unfinished change are read too", () => {
  const old = { protocol: "udp", containerPort: 53, hostPort: 53 } as const;
  expect(publishedOf([{ ...old, hostAddress: 0x0a00_0001 }])).toEqual([{ ...old, hostAddress: "10.0.0.1" }]);
});
