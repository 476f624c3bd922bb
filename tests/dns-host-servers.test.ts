/** The host's own DNS servers, asked for containers: those on loopback too, and the new ones once resolv.conf changes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { raiseHost, TestNetwork } from "#engine/network/private-network.ts";
import type { SandboxRequest } from "#engine/network/types.ts";
import { assertPrivateMounts, inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { ask, type Place, serve } from "./harness/dns.ts";
import { output, until } from "./harness/process.ts";

if (inPrivateNetwork()) insideTests();
else test("the host's servers are followed", () => rerunInPrivateNetwork(import.meta.path, { mounts: true }), 120_000);

const FILE = "/etc/resolv.conf";
const host: Place = { namespace: async () => "/proc/self/ns/net" };

function request(name: string, mode: string): SandboxRequest {
  return { containerId: name.padEnd(64, "0"), name, hostname: name, mode };
}

function insideTests(): void {
  let net: TestNetwork;
  let inside: Place;
  let confined: Place;
  const servers: AsyncDisposable[] = [];

  beforeAll(async () => {
    assertPrivateMounts();
    raiseHost();
    await output(["mount", "-t", "tmpfs", "none", "/etc"]);
    writeFileSync(FILE, "nameserver 127.0.0.1\n");
    for (const mark of [1, 2, 3, 4]) servers.push(await serve(host, `127.0.0.${mark}`, mark));
    net = new TestNetwork();
    await net.service.recover([]);
    await net.service.create({ Name: "open" });
    await net.service.create({ Name: "closed", Internal: true });
    const place = async (name: string, mode: string): Promise<Place> => {
      const { netnsPath = "" } = await net.service.allocate(request(name, mode));
      return { namespace: async () => netnsPath };
    };
    inside = await place("inside", "open");
    confined = await place("confined", "closed");
  });
  afterAll(async () => {
    for (const name of ["inside", "confined"]) await net.service.release(request(name, "").containerId);
    await net[Symbol.asyncDispose]();
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  const asked = async () => (await ask(inside, "some.where")).records[0];
  const becomes = (mark: number) => until(`server ${mark} is asked`, async () => (await asked()) === `192.0.2.${mark}`);

  describe("a change of resolv.conf is followed", () => {
    test("first of all its own server on loopback is asked", async () => {
      expect(await asked()).toBe("192.0.2.1");
      expect(net.service.sandbox(request("inside", "").containerId)?.resolvConf).toContain(
        "# ExtServers: [host(127.0.0.1)]\n",
      );
    });

    test("where it is written to", async () => {
      writeFileSync(FILE, "nameserver 127.0.0.2\n");
      await becomes(2);
    });

    test("where another file takes its name", async () => {
      writeFileSync(`${FILE}.new`, "nameserver 127.0.0.3\n");
      renameSync(`${FILE}.new`, FILE);
      await becomes(3);
    });

    test("where it is a link, and what that leads to is replaced", async () => {
      mkdirSync("/etc/resolver");
      writeFileSync("/etc/resolver/stub.conf", "nameserver 127.0.0.4\n");
      rmSync(FILE);
      symlinkSync("resolver/stub.conf", FILE);
      await becomes(4);
      writeFileSync("/etc/resolver/stub.new", "nameserver 127.0.0.1\n");
      renameSync("/etc/resolver/stub.new", "/etc/resolver/stub.conf");
      await becomes(1);
    });
  });

  test("from an internal network the host's servers are not asked", async () => {
    expect(await ask(confined, "some.where")).toMatchObject({ code: "SERVFAIL" });
  });
}
