/** The DNS server at 127.0.0.11: the names of containers, as they come, change and go. */
import { expect, test } from "bun:test";
import { ask, askAll } from "./harness/dns.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import type { Box, ContainerOverrides } from "./harness/box.ts";

const idle = ["sleep", "600"];

function on(network: string, name: string, aliases: string[] = []): ContainerOverrides {
  return {
    name,
    HostConfig: { NetworkMode: network },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: aliases } } },
  };
}

/** Internal, so that what is no name of ours goes nowhere. */
async function createNetwork(engine: Engine, name: string): Promise<void> {
  await engine.wire.json("POST", "/networks/create", { Name: name, Internal: true });
}

async function addressOf(box: Box, network: string): Promise<string> {
  return (await box.inspect()).NetworkSettings.Networks[network]?.IPAddress ?? "";
}

test("containers of a network find each other by name, short id and alias, backwards too, and others do not", async () => {
  await using engine = await startEngine();
  await createNetwork(engine, "front");
  await createNetwork(engine, "back.end");
  const web = await engine.run(idle, on("front", "web", ["www", "Shop"]));
  const asker = await engine.run(idle, on("front", "asker"));
  const other = await engine.run(idle, on("back.end", "other"));
  const address = await addressOf(web, "front");
  const reverse = `${address.split(".").toReversed().join(".")}.in-addr.arpa`;
  const found = await askAll(asker, [
    ...["web", "WEB.", "web.front", "www", "shop", web.id.slice(0, 12)].map((name) => ({ name })),
    { name: "web", transport: "tcp" },
    { name: "web", edns: 1232 },
  ]);
  for (const answer of found) expect(answer).toMatchObject({ code: "NOERROR", records: [address], truncated: false });
  expect(found[1]?.name).toBe("WEB");
  expect(found.map(({ edns }) => edns)).toEqual([...Array.from({ length: 7 }, () => false), true]);
  const [six, mail, https, back] = await askAll(asker, [
    { name: "web", type: "AAAA" },
    { name: "web", type: "MX" },
    { name: "web.front", type: "HTTPS" },
    { name: reverse, type: "PTR" },
  ]);
  for (const answer of [six, mail, https]) expect(answer).toMatchObject({ code: "NOERROR", records: [] });
  expect(back?.records).toEqual(["web.front"]);
  expect(await ask(other, "other.back.end")).toMatchObject({ records: [await addressOf(other, "back.end")] });
  expect((await asker.exec(["nslookup", "www"])).stdout).toContain(address);
  expect((await asker.exec(["ping", "-c", "1", "-W", "5", "web"])).code).toBe(0);
  expect((await other.exec(["ping", "-c", "1", "-W", "1", "web.front"])).code).not.toBe(0);
});

test("a container of both families has both addresses, forwards and backwards", async () => {
  await using engine = await startEngine();
  const Config = [{ Subnet: "fd00:d05:5ec::/64" }];
  await engine.wire.json("POST", "/networks/create", {
    Name: "dual",
    Internal: true,
    EnableIPv6: true,
    IPAM: { Config },
  });
  const box = await engine.run(idle, on("dual", "both"));
  const { IPAddress = "", GlobalIPv6Address } = (await box.inspect()).NetworkSettings.Networks["dual"] ?? {};
  const [four, six, all, back] = await askAll(box, [
    { name: "both" },
    { name: "both", type: "AAAA" },
    { name: "both.dual", type: "ANY" },
    { name: `2.0.0.0.${"0.".repeat(16)}c.e.5.0.5.0.d.0.0.0.d.f.ip6.arpa`, type: "PTR" },
  ]);
  expect(GlobalIPv6Address).toBe("fd00:d05:5ec::2");
  const hex = "fd000d0505ec00000000000000000002";
  expect([four?.records, six?.records, all?.records]).toEqual([[IPAddress], [hex], [IPAddress, hex]]);
  expect(back?.records).toEqual(["both.dual"]);
});

test("names follow connect, disconnect, rename, stop and start at once", async () => {
  await using engine = await startEngine();
  await createNetwork(engine, "one");
  await createNetwork(engine, "two");
  const asker = await engine.run(idle, on("one", "asker"));
  const web = await engine.run(idle, on("two", "web"));
  const code = async (name: string) => (await ask(asker, name)).code;
  expect(await code("web")).toBe("SERVFAIL");
  await engine.wire.bytes("POST", "/networks/one/connect", {
    body: { Container: web.id, EndpointConfig: { Aliases: ["late"] } },
  });
  expect(await ask(asker, "late")).toMatchObject({ records: [await addressOf(web, "one")] });
  await engine.wire.bytes("POST", `/containers/${web.id}/rename?name=site`);
  expect(await askAll(asker, [{ name: "site" }, { name: "web" }])).toMatchObject([
    { records: [await addressOf(web, "one")] },
    { code: "SERVFAIL" },
  ]);
  await engine.wire.bytes("POST", "/networks/one/disconnect", { body: { Container: web.id } });
  expect(await code("late")).toBe("SERVFAIL");
  await engine.wire.bytes("POST", "/networks/one/connect", { body: { Container: web.id } });
  await web.kill();
  await web.wait();
  expect(await code("site")).toBe("SERVFAIL");
  await web.start();
  expect(await code("site")).toBe("NOERROR");
});

test("an alias of several containers is answered with all, another one first each time", async () => {
  await using engine = await startEngine();
  await createNetwork(engine, "pool");
  const boxes = [];
  for (const name of ["c1", "c2", "c3"]) boxes.push(await engine.run(idle, on("pool", name, ["all"])));
  const [first] = boxes;
  const answers = await askAll(
    first!,
    Array.from({ length: 6 }, () => ({ name: "all" })),
  );
  const addresses = (await Promise.all(boxes.map((box) => addressOf(box, "pool")))).toSorted();
  for (const { records } of answers) expect(records.toSorted()).toEqual(addresses);
  const starts = answers.map(({ records }) => records[0] ?? "").toSorted();
  expect(starts).toEqual(addresses.flatMap((address) => [address, address]));
});

test("a link is a name that only the container with the link knows", async () => {
  await using engine = await startEngine();
  await createNetwork(engine, "n");
  const db = await engine.run(idle, on("n", "db"));
  const linked = { NetworkingConfig: { EndpointsConfig: { n: { Links: ["db:Store"] } } } };
  const asker = await engine.run(idle, { name: "asker", HostConfig: { NetworkMode: "n", Links: ["db"] }, ...linked });
  const address = await addressOf(db, "n");
  const found = await askAll(asker, [{ name: "store" }, { name: "STORE.n" }, { name: "db" }]);
  for (const answer of found) expect(answer).toMatchObject({ code: "NOERROR", records: [address] });
  expect(await ask(db, "store")).toMatchObject({ code: "SERVFAIL" });
  expect((await asker.inspect()).NetworkSettings.Networks["n"]?.Links).toEqual(["db:Store"]);
  const wrong = engine.create(idle, { NetworkingConfig: { EndpointsConfig: { n: { Links: ["a:b:c"] } } } });
  await expect(wrong).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining("bad format for links: a:b:c"),
  });
});

test("resolv.conf leads to 127.0.0.11 on networks of one's own, and says what stands behind it", async () => {
  await using engine = await startEngine();
  await createNetwork(engine, "n");
  const chosen = { Dns: ["192.0.2.1", "192.0.2.2"], DnsSearch: ["a.example", "b.example"], DnsOptions: ["timeout:3"] };
  const box = await engine.run(idle, { HostConfig: { NetworkMode: "n", ...chosen } });
  const { stdout } = await box.exec(["cat", "/etc/resolv.conf"]);
  expect(stdout.split("\n").filter((line) => !line.startsWith("#") && line !== "")).toEqual([
    "nameserver 127.0.0.11",
    "search a.example b.example",
    "options timeout:3 ndots:0",
  ]);
  expect(stdout).toContain("# Based on host file: '/etc/resolv.conf' (internal resolver)\n");
  expect(stdout).toContain("# ExtServers: [192.0.2.1 192.0.2.2]\n# Overrides: [nameservers search options]\n");
  expect(stdout).toContain("# Option ndots from: internal\n");
  const plain = await engine.run(idle, { HostConfig: chosen });
  expect((await plain.exec(["cat", "/etc/resolv.conf"])).stdout).not.toContain("127.0.0.11");
  await engine.wire.bytes("POST", "/networks/n/connect", { body: { Container: plain.id } });
  expect((await plain.exec(["cat", "/etc/resolv.conf"])).stdout).toContain("\nnameserver 127.0.0.11\n");
  expect(await ask(plain, box.id.slice(0, 12))).toMatchObject({ records: [await addressOf(box, "n")] });
});
