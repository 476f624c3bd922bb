import { expect, test } from "bun:test";
import { closeFd } from "#linux/descriptor.ts";
import { Epoll } from "#linux/epoll.ts";
import { listenAt, receiveBytes } from "#linux/inet-socket.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { changeLink } from "#linux/netlink-link.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { Forwarder } from "./forwarder.ts";
import { encodeName, parseQuery, type Query } from "./message.ts";

if (inPrivateNetwork()) insideTests();
else test("the forwarder with real sockets", () => rerunInPrivateNetwork(import.meta.path), 60_000);

const SERVER = { bytes: Uint8Array.of(127, 0, 0, 1), host: true };

function queryOf(name: string): Query {
  const bytes = Uint8Array.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...(encodeName(name) ?? []), 0, 1, 0, 1]);
  const query = parseQuery(bytes);
  if (typeof query !== "object") throw new Error("no query");
  return query;
}

function insideTests(): void {
  test("a container waits while others have all sockets, and is asked for as soon as these have some left", () => {
    using netlink = Netlink.open(NETLINK_ROUTE);
    netlink.execute(changeLink("lo", { up: true }));
    const { fd } = listenAt("udp", SERVER, 53);
    using epoll = new Epoll();
    using forwarder = new Forwarder(epoll, 2);
    forwarder.servers = [SERVER];
    const forward = (id: string, name: string): void => {
      const sandbox = { id, namespace: "", external: true, ndots: false, endpoints: [] };
      forwarder.forward(sandbox, queryOf(name), { transport: "udp", key: name, reply: () => {}, refuse: () => {} });
    };
    /** Names that the server was asked for since it was last looked. */
    const asked = (): string[] => {
      const names: string[] = [];
      const buffer = new Uint8Array(512);
      for (let size = receiveBytes(fd, buffer); size !== undefined; size = receiveBytes(fd, buffer)) {
        const query = parseQuery(buffer.slice(0, size));
        names.push(typeof query === "object" ? query.name : "");
      }
      return names;
    };
    for (const name of ["first", "second", "third", "fourth"]) forward("greedy", name);
    forward("other", "fifth");
    expect(asked()).toEqual(["first", "second"]);
    forward("last", "sixth");
    forward("last", "seventh");
    forwarder.forget("greedy");
    expect(asked()).toEqual(["fifth", "sixth"]);
    forwarder.forget("other");
    expect(asked()).toEqual(["seventh"]);
    closeFd(fd);
  });
}
