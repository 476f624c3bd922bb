import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { now } from "#lib/time.ts";
import { openDatabase } from "#store/database.ts";
import { EventBus, eventSchema } from "./bus.ts";

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
