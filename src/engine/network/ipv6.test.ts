import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { ask, askAll, listen } from "./peers.ts";
import {
  bridgeFilterModes,
  HOST_ADDRESS,
  HOST_ADDRESS6,
  OUTSIDE_ADDRESS,
  OUTSIDE_ADDRESS6,
  raiseHost,
  raiseOutside,
  setBridgeFilter,
  TestNetwork,
} from "./private-network.ts";
import type { Sandbox, SandboxRequest } from "./types.ts";

if (inPrivateNetwork()) insideTests();
else test("IPv6 works with a real kernel", () => rerunInPrivateNetwork(import.meta.path), 120_000);

function request(name: string, more: Partial<SandboxRequest> = {}): SandboxRequest {
  return { containerId: name.padEnd(64, "0"), name, hostname: name, mode: "dual", ...more };
}

const binding = (HostIp: string, HostPort: string) => [{ HostIp, HostPort }];

function insideTests(): void {
  beforeAll(raiseHost);

  describe("on a network of both families", () => {
    let net: TestNetwork;
    let outside: Awaited<ReturnType<typeof raiseOutside>>;
    let web: Sandbox;
    let neighbour: Sandbox;
    let stranger: Sandbox;
    let plain: Sandbox;
    const open: AsyncDisposable[] = [];
    beforeAll(async () => {
      net = new TestNetwork({
        pools: [
          { base: "10.213.0.0/16", size: 24 },
          { base: "fd13::/48", size: 64 },
        ],
      });
      // The host has its own routes by router advertisements.
      writeFileSync("/proc/sys/net/ipv6/conf/host0/accept_ra", "1");
      await net.service.recover([]);
      expect(readFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "utf8")).toBe("0\n");
      outside = await raiseOutside();
      await net.service.create({ Name: "dual", EnableIPv6: true });
      await net.service.create({ Name: "other", EnableIPv6: true, EnableIPv4: false });
      const ports = {
        "80/tcp": binding("", "8080"),
        "81/tcp": binding("::1", "8081"),
        "82/tcp": binding(HOST_ADDRESS6, "8082"),
        "53/udp": binding("", "5353"),
      };
      web = await net.service.allocate(request("web", { ports }));
      neighbour = await net.service.allocate(request("neighbour"));
      stranger = await net.service.allocate(request("stranger", { mode: "other" }));
      plain = await net.service.allocate(
        request("plain", { mode: "bridge", ports: { "80/tcp": binding("", "8090") } }),
      );
      open.push(await listen(web.netnsPath!, "tcp", 80, 81, 82, 83), await listen(web.netnsPath!, "udp", 53));
    });
    afterAll(async () => {
      for (const one of open) await one[Symbol.asyncDispose]();
      for (const { containerId } of [web, neighbour, stranger, plain]) await net.service.release(containerId);
      await outside[Symbol.asyncDispose]();
      await net[Symbol.asyncDispose]();
    });

    test("endpoints have the addresses of their network's families, in records and in the kernel", () => {
      expect(web.endpoints[0]).toMatchObject({
        ipAddress: "10.213.1.2",
        gateway: "10.213.1.1",
        ipv6Address: "fd13::2",
        ipv6PrefixLength: 64,
        ipv6Gateway: "fd13::1",
      });
      expect(stranger.endpoints[0]).toMatchObject({ ipAddress: "", gateway: "", ipv6Address: "fd13:0:0:1::2" });
      expect(plain.endpoints[0]).toMatchObject({ ipv6Address: "", ipv6Gateway: "" });
      const tentative = 0x40;
      const flags = (path: string) => {
        const { stdout } = Bun.spawnSync(["nsenter", `--net=${path}`, "cat", "/proc/net/if_inet6"]);
        const lines = stdout
          .toString()
          .trim()
          .split("\n")
          .map((line) => line.split(/\s+/));
        return lines.filter((fields) => fields[5] === "eth0").map((fields) => Number.parseInt(fields[4] ?? "", 16));
      };
      // One of the network and one of the link, usable at once; none at all where the network has no IPv6.
      expect(flags(web.netnsPath!).map((one) => one & tentative)).toEqual([0, 0]);
      expect(flags(plain.netnsPath!)).toEqual([]);
      expect(web.hosts).toContain("\n10.213.1.2\tweb\nfd13::2\tweb\n");
      expect(net.service.inspect("dual")).toMatchObject({
        EnableIPv4: true,
        EnableIPv6: true,
        IPAM: {
          Config: [
            { Subnet: "10.213.1.0/24", Gateway: "10.213.1.1" },
            { Subnet: "fd13::/64", Gateway: "fd13::1" },
          ],
        },
        Containers: { [web.containerId]: { IPv4Address: "10.213.1.2/24", IPv6Address: "fd13::2/64" } },
      });
      expect(net.service.inspect("other")).toMatchObject({ EnableIPv4: false, EnableIPv6: true });
    });

    test("a port without an address is published in both families, where the container has both", () => {
      expect(web.ports).toEqual({
        "80/tcp": [...binding("0.0.0.0", "8080"), ...binding("::", "8080")],
        "81/tcp": binding("::1", "8081"),
        "82/tcp": binding(HOST_ADDRESS6, "8082"),
        "53/udp": [...binding("0.0.0.0", "5353"), ...binding("::", "5353")],
      });
      expect(plain.ports).toEqual({ "80/tcp": binding("0.0.0.0", "8090") });
    });

    for (const bridgeFilter of bridgeFilterModes()) {
      describe(`with bridge-nf-call-ip6tables ${bridgeFilter}`, () => {
        beforeAll(() => setBridgeFilter(bridgeFilter));

        test("the host reaches it on ::1, on its own addresses and on the container's", async () => {
          expect(
            await askAll(undefined, [
              ["tcp", "::1", 8080],
              ["udp", "::1", 5353],
              ["tcp", "::1", 8081],
              ["tcp", HOST_ADDRESS6, 8080],
              ["udp", HOST_ADDRESS6, 5353],
              ["tcp", HOST_ADDRESS6, 8082],
              ["tcp", "fd13::1", 8080],
              ["tcp", "fd13::2", 80],
              ["tcp", "127.0.0.1", 8080],
            ]),
          ).toEqual([
            "fd13::1",
            "fd13::1",
            "fd13::1",
            HOST_ADDRESS6,
            HOST_ADDRESS6,
            HOST_ADDRESS6,
            "fd13::1",
            "fd13::1",
            "10.213.1.1",
          ]);
          expect(await ask(undefined, "tcp", "::1", 8082)).toBe("refused");
          expect(await ask(undefined, "tcp", HOST_ADDRESS6, 8081)).toBe("refused");
        });

        test("another machine reaches it, and the container sees who it is", async () => {
          expect(
            await askAll(outside.path, [
              ["tcp", HOST_ADDRESS6, 8080],
              ["udp", HOST_ADDRESS6, 5353],
              ["tcp", HOST_ADDRESS6, 8082],
              ["tcp", HOST_ADDRESS, 8080],
            ]),
          ).toEqual([OUTSIDE_ADDRESS6, OUTSIDE_ADDRESS6, OUTSIDE_ADDRESS6, OUTSIDE_ADDRESS]);
          // Neither what is published on loopback, nor the container's own address.
          expect(await ask(outside.path, "tcp", HOST_ADDRESS6, 8081)).toBe("refused");
          expect(await ask(outside.path, "tcp", "fd13::2", 80)).toBe("timeout");
        });

        test("other containers reach it, of its own network directly and of others by the host", async () => {
          expect(
            await askAll(neighbour.netnsPath, [
              ["tcp", "fd13::2", 83],
              ["tcp", HOST_ADDRESS6, 8080],
              ["tcp", "fd13::1", 8080],
            ]),
          ).toEqual(["fd13::3", "fd13::1", "fd13::1"]);
          expect(await ask(web.netnsPath, "tcp", HOST_ADDRESS6, 8080)).toBe("fd13::1");
          expect(await ask(stranger.netnsPath, "tcp", HOST_ADDRESS6, 8080)).toBe("fd13:0:0:1::2");
          expect(await ask(stranger.netnsPath, "tcp", "fd13::2", 80)).toBe("timeout");
        });

        test("containers reach other machines with the host's address", async () => {
          await using _listener = await listen(outside.path, "tcp", 90);
          expect(await ask(web.netnsPath, "tcp", OUTSIDE_ADDRESS6, 90)).toBe(HOST_ADDRESS6);
          expect(await ask(stranger.netnsPath, "tcp", OUTSIDE_ADDRESS6, 90)).toBe(HOST_ADDRESS6);
          expect(await ask(web.netnsPath, "tcp", OUTSIDE_ADDRESS, 90)).toBe(HOST_ADDRESS);
        });
      });
    }

    test("a port follows its container into another family and back, with its number", async () => {
      await using _listener = await listen(plain.netnsPath!, "tcp", 80);
      const seen = async () =>
        await askAll(undefined, [
          ["tcp", "127.0.0.1", 8090],
          ["tcp", "::1", 8090],
        ]);
      const shown = () => net.service.sandbox(plain.containerId)?.ports;
      expect(await seen()).toEqual(["10.213.0.1", "refused"]);
      await net.service.connect("other", plain.containerId, {});
      expect(shown()).toEqual({ "80/tcp": [...binding("0.0.0.0", "8090"), ...binding("::", "8090")] });
      expect(await seen()).toEqual(["10.213.0.1", "fd13:0:0:1::1"]);
      await net.service.connect("dual", plain.containerId, {});
      expect(await seen()).toEqual(["10.213.1.1", "fd13::1"]);
      await net.service.disconnect("bridge", plain.containerId);
      await net.service.disconnect("dual", plain.containerId);
      // What leads to it in IPv6 alone is published there alone.
      expect(shown()).toEqual({ "80/tcp": binding("::", "8090") });
      expect(await seen()).toEqual(["refused", "fd13:0:0:1::1"]);
      await net.service.connect("bridge", plain.containerId, {});
      await net.service.disconnect("other", plain.containerId);
      expect(shown()).toEqual({ "80/tcp": binding("0.0.0.0", "8090") });
      expect(await seen()).toEqual(["10.213.0.1", "refused"]);
    });

    test("the host forwards, and no container can tell it or another where routes lead", () => {
      const read = (name: string) => readFileSync(`/proc/sys/net/ipv6/conf/${name}`, "utf8").trim();
      expect(read("all/forwarding")).toBe("1");
      // Heeded by a router too, so that the host keeps them.
      expect(read("host0/accept_ra")).toBe("2");
      const device = `bt-${net.service.inspect("dual").Id.slice(0, 12)}`;
      expect(["accept_ra", "accept_dad", "disable_ipv6"].map((name) => read(`${device}/${name}`))).toEqual([
        "0",
        "0",
        "0",
      ]);
      expect(read("test0/disable_ipv6")).toBe("1");
    });
  });
}
