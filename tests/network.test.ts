/** Networks and published ports, reached from every side. */
import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { ask, listen } from "#engine/network/peers.ts";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

const httpd = ["httpd", "-f", "-p", "80", "-h", "/var/www"];
const greeting = "hello from the container\n";

/** What `-p` sends: the port exposed, and bound to the host. An empty host port is for the daemon to choose. */
function publish(port: string, hostIp = "", hostPort = "") {
  return {
    ExposedPorts: { [port]: {} },
    HostConfig: { PortBindings: { [port]: [{ HostIp: hostIp, HostPort: hostPort }] } },
  };
}

async function get(url: string): Promise<string | undefined> {
  try {
    return await (await fetch(url, { keepalive: false, signal: AbortSignal.timeout(2000) })).text();
  } catch {
    return undefined;
  }
}

async function publishedPort(box: Box, port = "80/tcp"): Promise<string> {
  return (await box.inspect()).NetworkSettings.Ports[port]?.[0]?.HostPort ?? "";
}

async function fetchFrom(box: Box, url: string): Promise<string> {
  // Debian's busybox crashes on wget's own -T.
  return (await box.exec(["timeout", "3", "wget", "-q", "-O", "-", url])).stdout;
}

/** The host's address on a link that is not one of the bridges; undefined on a machine without one. */
function hostAddress(engine: Engine): string | undefined {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (name === "lo" || name === engine.bridge || /^(docker|br-|veth|bt|berth|virbr)/.test(name)) continue;
    for (const { family, address } of addresses ?? []) if (family === "IPv4") return address;
  }
  return undefined;
}

test("a published port answers on 127.0.0.1, on the host's address, from another container and from itself", async () => {
  await using engine = await startEngine();
  const server = await engine.run(httpd, publish("80/tcp"));
  const port = await publishedPort(server);
  await until("it answers on 127.0.0.1", async () => (await get(`http://127.0.0.1:${port}/`)) === greeting);
  const gateway = (await server.inspect()).NetworkSettings.Gateway;
  const addresses = [gateway, hostAddress(engine)].filter((address) => address !== undefined);
  const other = await engine.run(["sleep", "600"]);
  for (const address of addresses) {
    const url = `http://${address}:${port}/`;
    expect([url, "host", await get(url)]).toEqual([url, "host", greeting]);
    expect([url, "container", await fetchFrom(other, url)]).toEqual([url, "container", greeting]);
    expect([url, "itself", await fetchFrom(server, url)]).toEqual([url, "itself", greeting]);
  }
  const direct = (await server.inspect()).NetworkSettings.IPAddress;
  expect(await get(`http://${direct}/`)).toBe(greeting);
  expect(await fetchFrom(other, `http://${direct}/`)).toBe(greeting);
  await server.kill();
  await until("the port is closed", async () => (await get(`http://127.0.0.1:${port}/`)) === undefined);
});

test("published on 127.0.0.1 only, it is not reachable on other addresses", async () => {
  await using engine = await startEngine();
  const server = await engine.run(httpd, publish("80/tcp", "127.0.0.1"));
  const port = await publishedPort(server);
  await until("it answers", async () => (await get(`http://127.0.0.1:${port}/`)) === greeting);
  const { Gateway } = (await server.inspect()).NetworkSettings;
  expect(await get(`http://${Gateway}:${port}/`)).toBeUndefined();
});

test("-P publishes what the image exposes, ranges and udp as well", async () => {
  await using engine = await startEngine();
  const server = await engine.run(httpd, {
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    HostConfig: { PublishAllPorts: true },
  });
  const port = await publishedPort(server);
  await until("it answers", async () => (await get(`http://127.0.0.1:${port}/`)) === greeting);
  expect(Number(await publishedPort(server, "53/udp"))).toBeGreaterThan(0);

  const echo = await engine.run(["sleep", "600"], publish("7/udp", "127.0.0.1"));
  await using _listener = await listen(await echo.namespace(), "udp", 7);
  const { Gateway } = (await echo.inspect()).NetworkSettings;
  expect(await ask(undefined, "udp", "127.0.0.1", Number(await publishedPort(echo, "7/udp")))).toBe(Gateway);
});

test("containers know their own name, hosts entries and nameservers", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], {
    Hostname: "pier",
    HostConfig: {
      ExtraHosts: ["db:10.9.8.7", "up:host-gateway"],
      Dns: ["9.9.9.9"],
      DnsSearch: ["example.org"],
      DnsOptions: ["ndots:2"],
    },
  });
  const { IPAddress, Gateway } = (await box.inspect()).NetworkSettings;
  const hosts = (await box.exec(["cat", "/etc/hosts"])).stdout;
  expect(hosts).toContain(`${IPAddress}\tpier`);
  expect(hosts).toContain("10.9.8.7\tdb");
  expect(hosts).toContain(`${Gateway}\tup`);
  const resolv = (await box.exec(["cat", "/etc/resolv.conf"])).stdout;
  expect(resolv).toContain("nameserver 9.9.9.9");
  expect(resolv).toContain("search example.org");
  expect(resolv).toContain("options ndots:2");
});

test("network none has only lo, host is the host's, container:X shares", async () => {
  await using engine = await startEngine();
  const none = await engine.run(["ls", "/sys/class/net"], { HostConfig: { NetworkMode: "none" } });
  await none.wait();
  expect((await none.logs()).stdout).toBe("lo\n");
  const host = await engine.run(["ls", "/sys/class/net"], { HostConfig: { NetworkMode: "host" } });
  await host.wait();
  expect((await host.logs()).stdout.split("\n")).toContain(engine.bridge);
  const owner = await engine.run(httpd);
  const guest = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: `container:${owner.id}` } });
  await until("the server is up", async () => (await fetchFrom(guest, "http://127.0.0.1/")) === greeting);
  expect((await guest.inspect()).NetworkSettings).toMatchObject({ SandboxID: "", SandboxKey: "", Networks: {} });
});

test("user-defined networks: create, connect, disconnect, remove", async () => {
  await using engine = await startEngine();
  const { Id } = await engine.wire.json<{ Id: string }>("POST", "/networks/create", { Name: "quay", Driver: "bridge" });
  const server = await engine.run(httpd, { HostConfig: { NetworkMode: "quay" } });
  const client = await engine.run(["sleep", "600"]);
  const address = (await server.inspect()).NetworkSettings.Networks["quay"]?.IPAddress ?? "";
  expect(address).not.toBe("");
  await engine.wire.bytes("POST", `/networks/${Id}/connect`, { body: { Container: client.id } });
  await until("it is reached", async () => (await fetchFrom(client, `http://${address}/`)) === greeting);
  await expect(engine.wire.bytes("DELETE", "/networks/quay")).rejects.toMatchObject({ status: 403 });
  await engine.wire.bytes("POST", `/networks/${Id}/disconnect`, { body: { Container: client.id } });
  expect(await fetchFrom(client, `http://${address}/`)).toBe("");
  await server.remove({ force: true });
  await engine.wire.bytes("DELETE", "/networks/quay");
});

test("ports and addresses survive a restart of the daemon", async () => {
  await using engine = await startEngine();
  const server = await engine.run(httpd, publish("80/tcp"));
  const port = await publishedPort(server);
  await until("it answers", async () => (await get(`http://127.0.0.1:${port}/`)) === greeting);
  await engine.kill9();
  expect(await get(`http://127.0.0.1:${port}/`)).toBe(greeting);
  await engine.start();
  expect(await get(`http://127.0.0.1:${port}/`)).toBe(greeting);
  expect(await publishedPort(server)).toBe(port);
});
