/** A short run of `bun run fuzz`; its seed is in the output, and BERTH_FUZZ_SEED repeats one. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { run } from "./harness/process.ts";

const seed = process.env["BERTH_FUZZ_SEED"] ?? "20250";

test(`spoiled requests (seed ${seed}) are answered, do no harm and leave nothing`, async () => {
  const program = join(import.meta.dir, "../scripts/fuzz.ts");
  // While it lasts the daemon still compiles its code: the growth of a long run (20 MiB) says nothing yet.
  const command = [process.execPath, program, "--count", "1200", "--seed", seed, "--growth", "32"];
  const { code, stdout, stderr } = await run(command, { timeout: 240_000 });
  expect({ code, faults: stdout.split("\n").filter((line) => line.startsWith("FAULT")), stderr }).toEqual({
    code: 0,
    faults: [],
    stderr: "",
  });
}, 250_000);
