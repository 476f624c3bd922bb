import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import type { EngineContext } from "#engine/container/context.ts";
import { silentLogger } from "#lib/log.ts";
import { ChangeJournal, changeSchema } from "./journal.ts";
import { undoChanges } from "./recover.ts";

test("what cannot be taken back is tried again by the next start", async () => {
  using db = new Database(":memory:");
  for (const version of changeSchema.versions) db.run(version);
  const journal = new ChangeJournal(db);
  journal.write("gone", { mounts: [], unmounts: [], volumes: ["new"] });
  let fails = true;
  const keepOnly = () => {
    if (fails) throw new Error("disk is full");
  };
  const context = { journal, volumes: { keepOnly }, containers: { find: () => undefined }, log: silentLogger };
  await undoChanges(context as unknown as EngineContext, new Set());
  expect(journal.pending()).toHaveLength(1);
  fails = false;
  await undoChanges(context as unknown as EngineContext, new Set());
  expect(journal.pending()).toEqual([]);
});
