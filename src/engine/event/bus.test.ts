import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { now } from "#lib/time.ts";
import { openDatabase } from "#store/database.ts";
import { EventBus } from "./bus.ts";
import { eventSchema } from "./history.ts";
import { WAITING } from "./subscription.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-events-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function actions(bus: EventBus, query: Parameters<EventBus["subscribe"]>[0]): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of bus.subscribe(query, new AbortController().signal)) seen.push(event.Action);
  return seen;
}

test("subscribers see what happens after they subscribed, through their filters", async () => {
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  const bus = new EventBus(db);
  bus.emit("container", "create", "c1", { image: "busybox", name: "web" });
  const all = actions(bus, {});
  const labelled = actions(bus, { filters: { label: ["tier=front"], type: ["container"] } });
  bus.emit("container", "start", "c1", { image: "busybox", name: "web", tier: "front" });
  bus.emit("container", "exec_create: sh -c true", "c1", { image: "busybox", name: "web" });
  bus.emit("network", "connect", "n1", { name: "bridge" });
  bus.close();
  expect(await all).toEqual(["start", "exec_create: sh -c true", "connect"]);
  expect(await labelled).toEqual(["start"]);
});

test("the history survives the daemon, is bounded, and can be asked for by time", async () => {
  const from = now();
  {
    using db = openDatabase(join(folder, "db"), [eventSchema]);
    const bus = new EventBus(db, { keep: 3 });
    for (const action of ["a", "b", "c", "d"]) bus.emit("image", action, "i", { name: "x:latest" });
    bus.close();
  }
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  const bus = new EventBus(db);
  expect(await actions(bus, { since: from, until: now() })).toEqual(["b", "c", "d"]);
  expect(await actions(bus, { since: from, until: now(), filters: { image: ["x"], event: ["c"] } })).toEqual(["c"]);
  expect(() => bus.subscribe({ filters: { nonsense: ["1"] } }, new AbortController().signal)).toThrow("invalid filter");
});

test("events that a full disk refuses are written once there is room", async () => {
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  const bus = new EventBus(db);
  const from = now();
  const { page_count } = db.query<{ page_count: number }, []>("PRAGMA page_count").get() ?? { page_count: 0 };
  db.run(`PRAGMA max_page_count = ${page_count}`);
  bus.emit("image", "pull", "i", { name: "x".repeat(100_000) });
  bus.flush();
  db.run(`PRAGMA max_page_count = ${page_count + 1000}`);
  bus.emit("image", "tag", "i", { name: "y" });
  expect(await actions(bus, { since: from, until: now() })).toEqual(["pull", "tag"]);
});

test("times are exact and rise, also across a restart of the daemon", async () => {
  const signal = new AbortController().signal;
  const times = async (bus: EventBus): Promise<unknown[]> => {
    const seen: unknown[] = [];
    for await (const { timeNano } of bus.subscribe({ since: 0n, until: now() }, signal)) seen.push(timeNano);
    return seen;
  };
  let first: unknown[];
  {
    using db = openDatabase(join(folder, "db"), [eventSchema]);
    const bus = new EventBus(db);
    bus.emit("image", "tag", "i", { name: "x" });
    bus.emit("image", "tag", "i", { name: "x" });
    first = await times(bus);
  }
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  expect(first).toHaveLength(2);
  expect(typeof first[0]).toBe("bigint");
  expect((first[0] as bigint) < (first[1] as bigint)).toBe(true);
  expect(await times(new EventBus(db))).toEqual(first);
});

test("a slow reader gets all, from the history where it is far behind", async () => {
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  const bus = new EventBus(db);
  const stream = bus.subscribe({}, new AbortController().signal);
  const count = 2 * WAITING + 10;
  for (let i = 0; i < count; i++) bus.emit("image", String(i), "i", { name: "x" });
  const seen: string[] = [];
  for await (const { Action } of stream) {
    seen.push(Action);
    if (seen.length === count) bus.emit("image", "last", "i", { name: "x" });
    if (Action === "last") break;
  }
  expect(seen).toEqual([...Array.from({ length: count }, (_, i) => String(i)), "last"]);
  expect(bus.listeners).toBe(0);
});

test("`until` in the future sends what was, what comes, and ends", async () => {
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  const bus = new EventBus(db);
  bus.emit("image", "before", "i", { name: "x" });
  const seen = actions(bus, { until: now() + 200_000_000n });
  bus.emit("image", "meanwhile", "i", { name: "x" });
  expect(await seen).toEqual(["before", "meanwhile"]);
});

test("filters match as Docker's", async () => {
  using db = openDatabase(join(folder, "db"), [eventSchema]);
  const bus = new EventBus(db);
  bus.emit("container", "create", "c1aa", { image: "reg.example:5000/team/web:1", name: "web-1", tier: "front" });
  bus.emit("container", "exec_create: sh -c true", "c1aa", { image: "busybox", name: "web-1" });
  bus.emit("container", "exec_start: sh -c true", "c1aa", { image: "busybox", name: "web-1" });
  bus.emit("container", "health_status: healthy", "c1aa", { image: "busybox", name: "web-1" });
  bus.emit("image", "tag", "sha256:1234", { name: "busybox:1.36" });
  bus.emit("network", "connect", "n1", { name: "web-net" });
  const matching = (filters: Record<string, string[]>) => actions(bus, { since: 0n, until: now(), filters });
  expect(await matching({ container: ["c1"], event: ["create"] })).toEqual(["create"]);
  expect(await matching({ network: ["web"], type: ["network"] })).toEqual(["connect"]);
  expect(await matching({ event: ["exec_create"] })).toEqual(["exec_create: sh -c true"]);
  expect(await matching({ event: ["health_status"] })).toEqual(["health_status: healthy"]);
  expect(await matching({ event: ["exec_start: sh -c true"] })).toEqual(["exec_start: sh -c true"]);
  expect(await matching({ event: ["exec"] })).toEqual([]);
  expect(await matching({ image: ["busybox"] })).toEqual([
    "exec_create: sh -c true",
    "exec_start: sh -c true",
    "health_status: healthy",
    "tag",
  ]);
  expect(await matching({ image: ["busybox:1.36"] })).toEqual(["tag"]);
  expect(await matching({ image: ["reg.example:5000/team/web"] })).toEqual(["create"]);
  expect(await matching({ label: ["tier=front", "name"] })).toEqual(["create"]);
  expect(await matching({ scope: ["swarm"] })).toEqual([]);
  expect(await matching({ plugin: ["x"] })).toEqual([]);
});
