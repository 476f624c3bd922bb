/** Berth and Docker on one host: neither cuts the other off, whichever came first, and Berth leaves Docker's rules clean. */
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "bun:test";
import { ask, listen } from "#engine/network/peers.ts";
import { HOST_ADDRESS, OUTSIDE_ADDRESS, raiseHost } from "#engine/network/private-network.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import type { Box } from "./harness/box.ts";
import { DockerDaemon } from "./harness/dockerd.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { output, until } from "./harness/process.ts";
import { Reach } from "./harness/reach.ts";

const installed = Bun.which("dockerd") !== null;
const why = installed ? "" : " (skipped: no dockerd on this machine)";

if (inPrivateNetwork()) insideTests();
else test.skipIf(!installed)(`beside Docker${why}`, () => rerunInPrivateNetwork(import.meta.path), 300_000);

const publish = (port: string) => ({
  ExposedPorts: { "80/tcp": {} },
  HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: port }] } },
});
const DOCKER_PORT = "9090";
/** Both masquerade what leaves their own bridges, so that this is whom the other's containers see. */
const DOCKER_GATEWAY = "10.214.0.1";

/** Everything that Docker's container could do before Berth came, and what each can do with the other's. */
async function checkDocker(box: Box, reach: Reach): Promise<void> {
  const { IPAddress } = (await box.inspect()).NetworkSettings;
  const port = Number(DOCKER_PORT);
  expect(await ask(undefined, "tcp", "127.0.0.1", port)).toBe(DOCKER_GATEWAY);
  expect(await ask(undefined, "tcp", HOST_ADDRESS, port)).toBe(HOST_ADDRESS);
  expect(await ask(reach.outside, "tcp", HOST_ADDRESS, port)).toBe(OUTSIDE_ADDRESS);
  expect(await ask(await box.namespace(), "tcp", OUTSIDE_ADDRESS, 7)).toBe(HOST_ADDRESS);
  const { web, neighbour } = reach.boxes;
  const { IPAddress: address, Gateway, Ports } = (await web.inspect()).NetworkSettings;
  const published = Number(Ports["80/tcp"]?.[0]?.HostPort);
  expect(await ask(await box.namespace(), "tcp", HOST_ADDRESS, published)).toBe(Gateway);
  expect(await ask(await box.namespace(), "tcp", address, 84)).toBe("timeout");
  expect(await ask(await neighbour.namespace(), "tcp", HOST_ADDRESS, port)).toBe(DOCKER_GATEWAY);
  expect(await ask(await neighbour.namespace(), "tcp", IPAddress, 81)).toBe("timeout");
}

/** As iptables shows it: that it can is part of the test. */
async function filterTable(): Promise<string> {
  return await output(["iptables-save", "-t", "filter"]);
}

async function serve(docker: DockerDaemon): Promise<{ box: Box } & AsyncDisposable> {
  const box = await docker.run(["sleep", "600"], publish(DOCKER_PORT));
  const listener = await listen(await box.namespace(), "tcp", 80, 81);
  return {
    box,
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await box.remove({ force: true });
    },
  };
}

/** Every rule of Docker's table that is ours. */
async function ours(engine: Engine): Promise<string[]> {
  return (await filterTable()).split("\n").filter((line) => line.includes("berth_") || line.includes(engine.bridge));
}

/** Without counters and times; Docker itself changes the order when it starts again. */
function rulesOf(saved: string): string[] {
  return saved
    .replaceAll(/\[\d+:\d+\]|^#.*$/gm, "")
    .split("\n")
    .toSorted();
}

function insideTests(): void {
  beforeAll(raiseHost);

  test("Docker was there first", async () => {
    // Where it has to turn forwarding on, Docker sets the policy to DROP.
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "0");
    await using docker = await DockerDaemon.launch();
    await using server = await serve(docker);
    expect(await filterTable()).toContain(":FORWARD DROP");
    const before = await filterTable();
    await using engine = await startEngine();
    let device: string;
    {
      await using reach = await Reach.prepare(engine);
      device = `bt-${(await engine.wire.json<{ Id: string }>("GET", "/networks/other")).Id.slice(0, 12)}`;
      await reach.check();
      await checkDocker(server.box, reach);
      await docker.stop();
      await reach.check();
      await docker.start();
      await reach.check();
      await checkDocker(server.box, reach);
      await engine.kill9();
      await engine.start();
      await reach.check();
      expect((await ours(engine)).join("\n")).toContain(device);
    }
    const left = (await ours(engine)).join("\n");
    expect(left).toContain(engine.bridge);
    expect(left).not.toContain(device);
    expect(await engine.leftovers()).toEqual([]);
    expect(rulesOf(await filterTable())).toEqual(rulesOf(before));
  }, 150_000);

  test("Berth was there first, and each refuses the other's ports", async () => {
    await using engine = await startEngine();
    await using reach = await Reach.prepare(engine);
    await reach.check();
    await using docker = await DockerDaemon.launch();
    await output(["iptables", "-P", "FORWARD", "DROP"]);
    await until("the daemon has seen Docker", async () => (await ours(engine)).length > 0);
    await reach.check();
    await using server = await serve(docker);
    await checkDocker(server.box, reach);
    const late = await engine.create(["sleep", "600"], publish(DOCKER_PORT));
    await expect(late.start()).rejects.toThrow(/failed to bind host port .*: address already in use/);
    const port = (await reach.boxes.web.inspect()).NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort ?? "";
    await expect((await docker.create(["true"], publish(port))).start()).rejects.toThrow("address already in use");
    await output(["sh", "-c", "iptables-save | iptables-restore --test"]);
    await reach.check();
    expect((await engine.wire.json<{ Warnings: string[] | null }>("GET", "/info")).Warnings ?? []).toEqual([]);
  }, 150_000);
}
