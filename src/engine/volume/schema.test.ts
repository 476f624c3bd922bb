import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "#store/database.ts";
import { VolumeRows } from "./rows.ts";
import { volumeSchema } from "./schema.ts";

test("volumes of the first version keep what was copied into them", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-volume-schema-"));
  const file = join(folder, "berth.db");
  try {
    const old = openDatabase(file, [{ ...volumeSchema, versions: volumeSchema.versions.slice(0, 1) }]);
    const add = old.query("INSERT INTO volume (name, created, labels, anonymous, populated) VALUES (?, 1, '{}', ?, ?)");
    add.run("full", 0, 1);
    add.run("fresh", 1, 0);
    for (const name of ["full", "fresh"]) old.query("INSERT INTO volume_use VALUES (?, 'c1')").run(name);
    old.close();
    using db = openDatabase(file, [volumeSchema]);
    const rows = new VolumeRows(db);
    expect(rows.all()).toMatchObject([
      { name: "fresh", anonymous: 1, options: null, project: null },
      { name: "full", anonymous: 0, options: null, project: null },
    ]);
    expect(rows.uses("c1")).toMatchObject([
      { volume: "fresh", named: 0, filled: 0 },
      { volume: "full", named: 0, filled: 1 },
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
