import { expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { EngineError } from "#lib/errors.ts";
import { tellableFailure } from "./failure.ts";

test("a database that is full says so in the system's words, and where", () => {
  using db = new Database(":memory:");
  db.run("PRAGMA max_page_count = 4");
  db.run("CREATE TABLE t (x TEXT)");
  let full: unknown;
  try {
    for (;;) db.run("INSERT INTO t VALUES (?)", ["x".repeat(1000)]);
  } catch (error) {
    full = error;
  }
  expect(tellableFailure(full, "/data")).toMatchObject({
    kind: "unavailable",
    message: "cannot write to /data: no space left on device",
  });
});

test("a full disk under a file names the file; other failures stay what they are", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", path: "/data/f" });
  expect(tellableFailure(full, "/data")).toMatchObject({ message: "cannot write to /data/f: no space left on device" });
  const wrapped = new Error("cannot make it", { cause: full });
  expect(tellableFailure(wrapped, "/data")).toMatchObject({ kind: "unavailable" });
  for (const other of [new Error("x"), new EngineError("conflict", "taken", { cause: full }), "text"]) {
    expect(tellableFailure(other, "/data")).toBe(other);
  }
});
