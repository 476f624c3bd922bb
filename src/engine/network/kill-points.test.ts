/** A daemon that is killed at any step of joining or leaving a network: the next one's kernel is what its record says. */
import { beforeAll, expect, test } from "bun:test";
import { formatAddress } from "#lib/ip.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { listLinks } from "#linux/netlink-link.ts";
import { listRoutes } from "#linux/netlink-route.ts";
import { Netlink } from "#linux/netlink.ts";
import { Firewall } from "./firewall.ts";
import { raiseHost, TestNetwork } from "./private-network.ts";
import type { Keep } from "./membership.ts";
import type { NetworkService } from "./service.ts";
import { NetworkStore } from "./store.ts";

const ID = "box".padEnd(64, "0");

if (inPrivateNetwork()) insideTests();
else test("a kill at each step", () => rerunInPrivateNetwork(import.meta.path), 120_000);

/** From the step with this number on nothing that a daemon does reaches the kernel or the database. */
function killAt(step: number): { steps: () => number } & Disposable {
  let count = 0;
  const undo = new DisposableStack();
  for (const [prototype, name] of STEPS) {
    const real = Reflect.get(prototype, name) as (...given: unknown[]) => unknown;
    undo.defer(() => Reflect.set(prototype, name, real));
    Reflect.set(prototype, name, function (this: unknown, ...given: unknown[]) {
      if (count++ >= step) throw new Error("killed");
      return Reflect.apply(real, this, given);
    });
  }
  return { steps: () => count, [Symbol.dispose]: () => undo.dispose() };
}

/** All that changes the kernel or the database. */
const STEPS: [prototype: object, name: string][] = [
  [Netlink.prototype, "execute"],
  [NetworkStore.prototype, "putSandbox"],
  [Firewall.prototype, "publish"],
  [Firewall.prototype, "unpublish"],
];

/** Interfaces and the default route: by the kernel, and by the service. */
async function both(net: TestNetwork): Promise<{ kernel: unknown; record: unknown }> {
  const sandbox = net.service.sandbox(ID);
  using socket = new Netlink(await net.namespaces.netlinkSocketIn(sandbox?.netnsPath ?? ""));
  const links = listLinks(socket).filter(({ name }) => name !== "lo");
  const routes = listRoutes(socket, 4).filter(({ destination }) => destination.bits === 0);
  const endpoints = sandbox?.endpoints ?? [];
  // The first by name, since none has a priority.
  const gate = endpoints.toSorted((a, b) => (a.networkName < b.networkName ? -1 : 1))[0];
  return {
    kernel: {
      links: links.map(({ name }) => name).toSorted(),
      routes: routes.map(({ gateway }) => (gateway === undefined ? "" : formatAddress(gateway))),
    },
    record: {
      links: endpoints.map((one) => one.interface).toSorted(),
      routes: gate === undefined ? [] : [gate.gateway],
    },
  };
}

function insideTests(): void {
  beforeAll(raiseHost);

  const join = (network: string) => (service: NetworkService, keep: Keep) => service.connect(network, ID, {}, keep);
  const leave = (network: string) => (service: NetworkService, keep: Keep) => service.disconnect(network, ID, keep);
  const cases: [what: string, before: string[], act: (service: NetworkService, keep: Keep) => Promise<unknown>][] = [
    ["joining a network that gets the route", ["bridge"], join("area")],
    ["joining one that does not", ["bridge"], join("zone")],
    ["leaving the one that has the route", ["bridge", "area"], leave("area")],
    ["leaving one that has not", ["bridge", "zone"], leave("zone")],
    ["leaving the last", ["bridge"], leave("bridge")],
  ];
  test.each(cases)("%s", async (_, before, act) => {
    for (let step = 0, done = false; !done; step++) {
      await using net = new TestNetwork();
      const first = net.service;
      await first.recover([]);
      for (const Name of ["area", "zone"]) await first.create({ Name });
      const ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }] };
      await first.allocate({ containerId: ID, name: "box", hostname: "box", mode: "bridge", ports });
      for (const name of before.slice(1)) await first.connect(name, ID, {});
      net.db.run("CREATE TABLE kept (change TEXT)");
      const joined = (service: NetworkService) => service.sandbox(ID)?.endpoints.length;
      const count = joined(first);
      {
        using kill = killAt(step);
        await act(first, () => void net.db.run("INSERT INTO kept VALUES ('x')")).catch(() => {});
        done = kill.steps() <= step;
      }
      // A dead daemon's ports are free.
      await first.close();
      await net.reopen().recover([ID]);
      const { kernel, record } = await both(net);
      const kept = net.db.query("SELECT * FROM kept").all().length;
      expect({ step, kept }).toEqual({ step, kept: joined(net.service) === count ? 0 : 1 });
      if (done) expect(step).toBeGreaterThan(1);
      expect({ step, ...Object(kernel) }).toEqual({ step, ...Object(record) });
      await net.service.release(ID);
    }
  });
}
