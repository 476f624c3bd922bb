/** Who reaches which published port of which sort of network, and as whom: a table, asked with real sockets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { askAll, listen, type Question } from "#engine/network/peers.ts";
import {
  bridgeFilterModes,
  HOST_ADDRESS,
  HOST_ADDRESS6,
  OUTSIDE_ADDRESS,
  OUTSIDE_ADDRESS6,
  raiseHost,
  raiseOutside,
  setBridgeFilter,
} from "#engine/network/private-network.ts";
import { patience } from "#lib/testing.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

/** Container ports by how they are published. */
const PUBLISHED = { everywhere: 80, loopback: 81, address: 82, loopback6: 83, range: 84, random: 85, closed: 86 };
const UDP = 53;
const RANGE = "18300-18399";

type Sort = keyof typeof PUBLISHED | "udp";
/** Where a client knocks: an address of the host, or the container's own with the container's port. */
type Door = "127.0.0.1" | "::1" | "host" | "host6" | "gateway" | "direct" | "direct6";
/** `gateway` and `own` are addresses of the network and of the client in it. */
type Seen = "gateway" | "gateway6" | "own" | "own6" | "host" | "host6" | "outside" | "outside6" | "refused" | "timeout";
type Cell = readonly [door: Door, sort: Sort, seen: Seen];
type Client = "host" | "outside" | "self" | "neighbour" | "stranger";

interface Row {
  /** Body of `network create`; absent for the default bridge. */
  network?: object;
  cells: Partial<Record<Client, readonly Cell[]>>;
}

const fromHost: readonly Cell[] = [
  ["127.0.0.1", "everywhere", "gateway"],
  ["127.0.0.1", "loopback", "gateway"],
  ["127.0.0.1", "range", "gateway"],
  ["127.0.0.1", "random", "gateway"],
  ["127.0.0.1", "udp", "gateway"],
  ["127.0.0.1", "address", "refused"],
  ["host", "everywhere", "host"],
  ["host", "address", "host"],
  ["host", "udp", "host"],
  ["host", "loopback", "refused"],
  ["gateway", "everywhere", "gateway"],
  ["direct", "closed", "gateway"],
];
const fromOutside: readonly Cell[] = [
  ["host", "everywhere", "outside"],
  ["host", "address", "outside"],
  ["host", "range", "outside"],
  ["host", "random", "outside"],
  ["host", "udp", "outside"],
  ["host", "loopback", "refused"],
  ["direct", "everywhere", "timeout"],
  ["direct", "closed", "timeout"],
];
/** From a container of the network, also the one that serves: the answer has to come back through the host. */
const fromWithin: readonly Cell[] = [
  ["host", "everywhere", "gateway"],
  ["host", "address", "gateway"],
  ["host", "udp", "gateway"],
  ["host", "loopback", "refused"],
  ["gateway", "everywhere", "gateway"],
];
const fromAnother: readonly Cell[] = [
  ["host", "everywhere", "own"],
  ["host", "udp", "own"],
  ["host", "loopback", "refused"],
  ["direct", "everywhere", "timeout"],
  ["direct", "closed", "timeout"],
];
/** Nothing is published; who is on the network is reached all the same. */
const internal: Row["cells"] = {
  host: [
    ["127.0.0.1", "everywhere", "refused"],
    ["host", "everywhere", "refused"],
    ["direct", "closed", "gateway"],
  ],
  outside: [
    ["host", "everywhere", "refused"],
    ["direct", "everywhere", "timeout"],
  ],
  neighbour: [["direct", "closed", "own"]],
  stranger: [
    ["host", "everywhere", "refused"],
    ["direct", "everywhere", "timeout"],
  ],
};

const MATRIX: Readonly<Record<string, Row>> = {
  bridge: {
    cells: {
      host: fromHost,
      outside: fromOutside,
      self: fromWithin,
      neighbour: [...fromWithin, ["direct", "closed", "own"]],
    },
  },
  dual: {
    network: { EnableIPv6: true },
    cells: {
      host: [
        ...fromHost,
        ["::1", "everywhere", "gateway6"],
        ["::1", "loopback6", "gateway6"],
        ["::1", "loopback", "refused"],
        ["host6", "everywhere", "host6"],
        ["host6", "loopback6", "refused"],
        ["direct6", "closed", "gateway6"],
      ],
      outside: [
        ...fromOutside,
        ["host6", "everywhere", "outside6"],
        ["host6", "udp", "outside6"],
        ["host6", "loopback6", "refused"],
        ["direct6", "everywhere", "timeout"],
      ],
      self: [...fromWithin, ["host6", "everywhere", "gateway6"]],
      neighbour: [...fromWithin, ["direct", "closed", "own"], ["direct6", "closed", "own6"]],
      stranger: fromAnother,
    },
  },
  internal: { network: { Internal: true }, cells: internal },
  apart: {
    network: { Options: { "com.docker.network.bridge.enable_icc": "false" } },
    cells: {
      host: fromHost,
      outside: fromOutside,
      self: fromWithin,
      neighbour: [...fromWithin, ["direct", "closed", "timeout"], ["direct", "everywhere", "timeout"]],
      stranger: fromAnother,
    },
  },
  routed: {
    network: { Options: { "com.docker.network.bridge.gateway_mode_ipv4": "routed" } },
    cells: {
      host: [
        ["127.0.0.1", "everywhere", "refused"],
        ["host", "everywhere", "refused"],
        ["direct", "closed", "gateway"],
      ],
      outside: [
        ["host", "everywhere", "refused"],
        ["direct", "everywhere", "outside"],
        ["direct", "udp", "outside"],
        ["direct", "closed", "timeout"],
      ],
      neighbour: [["direct", "closed", "own"]],
      stranger: [
        ["direct", "everywhere", "own"],
        ["direct", "closed", "timeout"],
      ],
    },
  },
};

if (inPrivateNetwork()) insideTests();
else test("the matrix of published ports", () => rerunInPrivateNetwork(import.meta.path), 180_000 * patience);

interface Place {
  server: Box;
  neighbour: Box;
}

function insideTests(): void {
  const open = new AsyncDisposableStack();
  const places = new Map<string, Place>();
  let engine: Engine;
  let outside: string;
  let stranger: Box;

  beforeAll(async () => {
    raiseHost();
    // The last of them is off. Where bridges filter, the kernel bridges what was redirected on the network itself, and
    // keeps the containers of `apart` from each other's published ports, too (docs/networks.md).
    setBridgeFilter(bridgeFilterModes().at(-1) ?? "absent");
    outside = open.use(await raiseOutside()).path;
    engine = open.use(await startEngine());
    stranger = await engine.run(["sleep", "600"]);
    await Promise.all(
      Object.entries(MATRIX).map(async ([name, { network }]) => {
        if (network !== undefined) await engine.wire.json("POST", "/networks/create", { Name: name, ...network });
        const server = await engine.run(["sleep", "600"], {
          HostConfig: { NetworkMode: name, PortBindings: bindings(name) },
        });
        const neighbour = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: name } });
        places.set(name, { server, neighbour });
        const inside = await server.namespace();
        open.use(await listen(inside, "tcp", ...Object.values(PUBLISHED)));
        open.use(await listen(inside, "udp", UDP));
      }),
    );
  });

  afterAll(async () => {
    const boxes = [stranger, ...[...places.values()].flatMap(({ server, neighbour }) => [server, neighbour])];
    await Promise.all(boxes.map((box) => box.remove({ force: true })));
    for (const [name, { network }] of Object.entries(MATRIX))
      if (network !== undefined) await engine.wire.bytes("DELETE", `/networks/${name}`);
    await open.disposeAsync();
  });

  for (const [name, { cells }] of Object.entries(MATRIX)) {
    describe(name, () => {
      test.each(Object.entries(cells) as [Client, readonly Cell[]][])("from %s", async (client, rows) => {
        const place = places.get(name);
        if (place === undefined) throw new Error(`there is no place ${name}`);
        const boxes: Partial<Record<Client, Box>> = { self: place.server, neighbour: place.neighbour, stranger };
        const from = client === "outside" ? outside : await boxes[client]?.namespace();
        const { NetworkSettings } = await place.server.inspect();
        const endpoint = NetworkSettings.Networks[name];
        const own = (await boxes[client]?.inspect())?.NetworkSettings;
        const ownEndpoint = Object.values(own?.Networks ?? {})[0];
        const doors: Record<Door, string> = {
          "127.0.0.1": "127.0.0.1",
          "::1": "::1",
          host: HOST_ADDRESS,
          host6: HOST_ADDRESS6,
          gateway: endpoint?.Gateway ?? "",
          direct: endpoint?.IPAddress ?? "",
          direct6: endpoint?.GlobalIPv6Address ?? "",
        };
        const seen: Record<Seen, string> = {
          gateway: await gatewayOf(engine, name, 4),
          gateway6: await gatewayOf(engine, name, 6),
          own: ownEndpoint?.IPAddress ?? "",
          own6: ownEndpoint?.GlobalIPv6Address ?? "",
          host: HOST_ADDRESS,
          host6: HOST_ADDRESS6,
          outside: OUTSIDE_ADDRESS,
          outside6: OUTSIDE_ADDRESS6,
          refused: "refused",
          timeout: "timeout",
        };
        const questions = rows.map(([door, sort]): Question => {
          const [protocol, port] = sort === "udp" ? (["udp", UDP] as const) : (["tcp", PUBLISHED[sort]] as const);
          const bound = NetworkSettings.Ports[`${port}/${protocol}`]?.[0]?.HostPort;
          // Where nothing is published, it is asked for by the container's number.
          const asked = door.startsWith("direct") ? port : Number(bound ?? "0") || port;
          return [protocol, doors[door], asked];
        });
        const answers = await askAll(from, questions);
        const table = (values: readonly (string | undefined)[]) =>
          rows.map(([door, sort], i) => `${door} ${sort}: ${values[i]}`);
        expect(table(answers)).toEqual(table(rows.map(([, , expected]) => seen[expected])));
      });
    });
  }

  function bindings(network: string) {
    const bind = (HostIp = "", HostPort = "") => [{ HostIp, HostPort }];
    return {
      [`${PUBLISHED.everywhere}/tcp`]: bind(),
      [`${PUBLISHED.loopback}/tcp`]: bind("127.0.0.1"),
      [`${PUBLISHED.address}/tcp`]: bind(HOST_ADDRESS),
      // Refused where the container has no IPv6.
      ...(network === "dual" && { [`${PUBLISHED.loopback6}/tcp`]: bind("::1") }),
      [`${PUBLISHED.range}/tcp`]: bind("", RANGE),
      [`${PUBLISHED.random}/tcp`]: bind("", "0"),
      [`${UDP}/udp`]: bind(),
    };
  }
}

/** By the network's configuration: an endpoint of an internal network has none. */
async function gatewayOf(engine: Engine, network: string, family: 4 | 6): Promise<string> {
  const { IPAM } = await engine.wire.json<{ IPAM: { Config: { Gateway: string }[] } }>("GET", `/networks/${network}`);
  const gateways = IPAM.Config.map(({ Gateway }) => Gateway.split("/")[0] ?? "");
  return gateways.find((gateway) => gateway.includes(":") === (family === 6)) ?? "";
}
