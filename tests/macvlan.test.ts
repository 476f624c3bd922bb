/** Containers on a device of the host by macvlan: the test's own veth pair. */
import { expect, test } from "bun:test";
import type { ContainerStats } from "#api/types/container-stats.ts";
import { changeLink, createVeth, deleteLink } from "#linux/netlink-link.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { shell } from "./harness/change.ts";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

test("containers reach each other by the parent, across a kill of the daemon, and have statistics", async () => {
  const mark = crypto.randomUUID().slice(0, 8);
  const [parent, far] = [`bp${mark}`, `bq${mark}`];
  using netlink = Netlink.open(NETLINK_ROUTE);
  netlink.execute(createVeth({ name: parent }, { name: far }), changeLink(far, { up: true }));
  using _ = { [Symbol.dispose]: () => netlink.execute(deleteLink(parent)) };
  await using engine = await startEngine();
  const base = `10.${150 + Math.floor(Math.random() * 50)}.${Math.floor(Math.random() * 250)}`;
  const created = await engine.berth([
    "network",
    "create",
    "-d",
    "macvlan",
    `--subnet=${base}.0/24`,
    "-o",
    `parent=${parent}`,
    "lan",
  ]);
  expect(created).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/) });
  const run = (command: string[]) => engine.run(command, { HostConfig: { NetworkMode: "lan" } });
  const server = await run(["httpd", "-f", "-p", "80", "-h", "/var/www"]);
  const client = await run(["sleep", "600"]);
  const { IPAddress = "" } = (await server.inspect()).NetworkSettings.Networks["lan"] ?? {};
  // Debian's busybox crashes on wget's own -T.
  const answer = () => shell(client, `timeout 3 wget -q -O - http://${IPAddress}/`);
  await until("it answers", async () => (await answer()) === "hello from the container\n");
  await engine.kill9();
  await engine.start();
  expect(await answer()).toBe("hello from the container\n");
  const { networks } = await engine.wire.json<ContainerStats>("GET", `/containers/${client.id}/stats?stream=0`);
  expect(networks?.["eth0"]?.rx_bytes).toBeGreaterThan(200);
  expect(networks?.["eth0"]?.tx_bytes).toBeGreaterThan(200);
  for (const box of [server, client]) await box.remove({ force: true });
  expect(await engine.berth(["network", "rm", "lan"])).toMatchObject({ code: 0, stdout: "lan\n" });
});
