/**
 * Runs integration tests in a virtual machine and keeps the result in docs/compatibility.md.
 *
 * `bun run it:vm [--suite NAME] [--cache FOLDER] [--fresh] [--minutes N] [--record] [FILE...]`
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rootImage, suites } from "./image.ts";
import { boot } from "./machine.ts";
import { record } from "./report.ts";
import { workImage } from "./work.ts";

/** What differs with the control groups, the runtime or the kernel. */
const files =
  "package-systemd systemd apparmor resources update stats lifecycle exec security user-namespaces escapes-by-files "
    .concat("crash adoption random-kill published-ports")
    .split(" ")
    .map((name) => `tests/${name}.test.ts`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: "string", default: "trixie" },
    /** Where made root file systems are kept. */
    cache: { type: "string" },
    /** Makes the root file system anew, with today's packages. */
    fresh: { type: "boolean", default: false },
    minutes: { type: "string", default: "60" },
    /** Writes the result into docs/compatibility.md. */
    record: { type: "boolean", default: false },
  },
});
const suite = suites[values.suite];
if (suite === undefined) {
  console.error(`error: unknown suite ${values.suite}: one of ${Object.keys(suites).join(", ")}`);
  process.exit(2);
}
const cache =
  values.cache ?? join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "berth", "virtual-machines");
const root = await rootImage(suite, cache, values.fresh);
await using work = await workImage(positionals.length > 0 ? positionals : await present(files));
const outcome = await boot(
  { root, work: work.path, console: join(cache, `${suite.name}.log`) },
  Number(values.minutes),
);
if (values.record) await record(suite, outcome);
console.log(`${outcome.passed} passed, ${outcome.failed} failed`);
// Not exit(): the disk is still to be removed.
process.exitCode = outcome.failed === 0 && outcome.passed > 0 ? 0 : 1;

async function present(names: readonly string[]): Promise<string[]> {
  const exist = await Promise.all(names.map(async (name) => await Bun.file(name).exists()));
  return names.filter((_, index) => exist[index]);
}
