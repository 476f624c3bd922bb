/** What is no container's name goes to other servers, from the network and by the transport that it should. */
import { expect, test } from "bun:test";
import type { Box } from "./harness/box.ts";
import { ask, askAll, flood, serve } from "./harness/dns.ts";
import { type Engine, startEngine } from "./harness/engine.ts";

const idle = ["sleep", "600"];

async function address(box: Box): Promise<string> {
  return Object.values((await box.inspect()).NetworkSettings.Networks)[0]?.IPAddress ?? "";
}

/** A network with one container for each mark, each a server of that mark, and one that asks them in this order. */
async function withServers(engine: Engine, marks: readonly number[], network: object = {}) {
  await engine.wire.json("POST", "/networks/create", { Name: "n", ...network });
  const servers = new AsyncDisposableStack();
  const addresses: string[] = [];
  for (const mark of marks) {
    const box = await engine.run(idle, { HostConfig: { NetworkMode: "n" } });
    addresses.push(await address(box));
    servers.use(await serve(box, addresses.at(-1) ?? "", mark));
  }
  const asker = await engine.run(idle, { name: "asker", HostConfig: { NetworkMode: "n", Dns: addresses } });
  return { asker, servers, addresses };
}

test("answers of the container's servers come as they are, by UDP and TCP, big ones and those of EDNS too", async () => {
  await using engine = await startEngine();
  const { asker, servers } = await withServers(engine, [7]);
  await using _ = servers;
  const answers = await askAll(asker, [
    { name: "Some.Where" },
    { name: "some.where", transport: "tcp" },
    { name: "single" },
    { name: "no.absent" },
    { name: "big.where" },
    { name: "big.where", transport: "tcp" },
    { name: "edns.where", edns: 1400 },
    { name: "edns.where" },
    { name: "1.2.0.192.in-addr.arpa", type: "PTR" },
    { name: "asker" },
  ]);
  const plain = { code: "NOERROR", records: ["192.0.2.7"], truncated: false };
  expect(answers.slice(0, 5)).toMatchObject([
    { ...plain, name: "Some.Where" },
    plain,
    plain,
    { code: "NXDOMAIN", records: [] },
    { records: [], truncated: true },
  ]);
  expect(answers[5]?.records).toHaveLength(100);
  expect(answers[6]?.records).toEqual([`0.0.${1400 >> 8}.${1400 & 255}`]);
  expect(answers[7]?.records).toEqual(["0.0.0.0"]);
  expect(answers[8]).toMatchObject(plain);
  expect(answers[9]?.records).toEqual([await address(asker)]);
});

test("a server that fails, refuses or is silent leaves it to the next; a lost query is sent again", async () => {
  await using engine = await startEngine();
  const { asker, servers, addresses } = await withServers(engine, [1, 2]);
  await using _ = servers;
  // The first answers everything else, so who answers these was asked second.
  const failing = await askAll(asker, [{ name: "fail.where" }, { name: "refuse.where" }]);
  for (const answer of failing) expect(answer).toMatchObject({ code: "SERVFAIL", records: [] });
  const dead = { HostConfig: { NetworkMode: "n", Dns: [await address(asker), addresses[1] ?? ""] } };
  const beside = await engine.run(idle, dead);
  expect(await ask(beside, "some.where")).toMatchObject({ records: ["192.0.2.2"] });
  expect(await ask(beside, { name: "some.where", transport: "tcp" })).toMatchObject({ records: ["192.0.2.2"] });
  const started = performance.now();
  expect(await ask(asker, "once.where")).toMatchObject({ code: "NOERROR" });
  expect(performance.now() - started).toBeGreaterThan(1900);
  const nobody = await engine.run(idle, { HostConfig: { NetworkMode: "n", Dns: [await address(asker)] } });
  expect(await ask(nobody, "some.where")).toMatchObject({ code: "SERVFAIL" });
});

test("a forged answer is passed over", async () => {
  await using engine = await startEngine();
  const { asker, servers } = await withServers(engine, [3]);
  await using _ = servers;
  expect(await ask(asker, "forged.where")).toMatchObject({ records: ["192.0.2.3"], name: "forged.where" });
});

test("names of containers, and with ndots of one's own those without a dot, reach no other server", async () => {
  await using engine = await startEngine();
  const { asker, servers, addresses } = await withServers(engine, [4]);
  await using _ = servers;
  const dotted = { NetworkMode: "n", Dns: addresses, DnsOptions: ["ndots:2"] };
  const chooser = await engine.run(idle, { HostConfig: dotted });
  await askAll(asker, [{ name: "asker" }, { name: "asker.n", type: "AAAA" }, { name: "asker", type: "HTTPS" }]);
  expect(await ask(chooser, "single")).toMatchObject({ code: "NOERROR", records: [] });
  // The first that arrived is the one that counts them.
  expect(await ask(asker, "asked")).toMatchObject({ records: ["0.0.0.1"] });
});

test("in an internal network its own servers are asked, and not those of the host", async () => {
  await using engine = await startEngine();
  const { asker, servers } = await withServers(engine, [5], { Internal: true });
  await using _ = servers;
  expect(await ask(asker, "some.where")).toMatchObject({ records: ["192.0.2.5"] });
  const hosted = await engine.run(idle, { HostConfig: { NetworkMode: "n" } });
  expect(await ask(hosted, "some.where")).toMatchObject({ code: "SERVFAIL" });
  expect(await ask(hosted, "asker")).toMatchObject({ code: "NOERROR" });
});

test("a container that floods is bounded, as in Docker, and its names are answered meanwhile", async () => {
  await using engine = await startEngine();
  const { asker, servers } = await withServers(engine, [8]);
  await using _ = servers;
  const flooding = flood(asker, 3000, "silent");
  const progress = { over: false };
  const flooded = flooding.finally(() => (progress.over = true));
  // It lasts four seconds at least.
  let answered = 0;
  for (; !progress.over; answered++) expect(await ask(asker, "asker")).toMatchObject({ code: "NOERROR" });
  expect(answered).toBeGreaterThan(2);
  const { REFUSED = 0, SERVFAIL = 0 } = await flooded;
  // 1024 are under way and as many wait for four seconds; the others are refused at once.
  expect(REFUSED + SERVFAIL).toBe(3000);
  expect(REFUSED).toBeGreaterThanOrEqual(3000 - 2 * 1024);
  expect(SERVFAIL).toBeGreaterThanOrEqual(1024);
});

test("other servers count at once for a container that runs", async () => {
  await using engine = await startEngine();
  const { asker, servers, addresses } = await withServers(engine, [1, 2]);
  await using _ = servers;
  const change = { Dns: { Remove: [addresses[0]] }, DnsOptions: { Add: ["ndots:3"] } };
  await engine.wire.json("POST", `/containers/${asker.id}/update`, { Changes: change });
  expect(await ask(asker, "some.where")).toMatchObject({ records: ["192.0.2.2"] });
  expect(await ask(asker, "single")).toMatchObject({ code: "NOERROR", records: [] });
  const { stdout } = await asker.exec(["cat", "/etc/resolv.conf"]);
  expect(stdout).toContain("nameserver 127.0.0.11\n");
  expect(stdout).toContain("options ndots:3\n");
  expect(stdout).toContain(`# ExtServers: [${addresses[1]}]\n`);
});

test("a container may serve port 53 itself, on all its addresses, and still asks 127.0.0.11", async () => {
  await using engine = await startEngine();
  const { asker, servers } = await withServers(engine, [6]);
  await using _ = servers;
  await using own = await serve(asker, "0.0.0.0", 9);
  expect(await ask(asker, "asker")).toMatchObject({ records: [await address(asker)] });
  expect(await ask(asker, "some.where")).toMatchObject({ records: ["192.0.2.6"] });
  expect(await ask(asker, "some.where", { server: "127.0.0.1" })).toMatchObject({ records: ["192.0.2.9"] });
  expect(own).toBeDefined();
});
