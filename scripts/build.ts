/** Makes dist/berth: the program, its workers and the Bun runtime in one executable that needs no node_modules. */
import { $ } from "bun";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const output = join(root, "dist/berth");
const { version } = (await Bun.file(join(root, "package.json")).json()) as { version: string };
const commit = (await $`git rev-parse --short HEAD`.cwd(root).nothrow().quiet().text()).trim() || "unknown";
const workers = await Array.fromAsync(new Bun.Glob("src/**/*-worker.ts").scan({ cwd: root, absolute: true }));

await mkdir(join(root, "dist"), { recursive: true });
const result = await Bun.build({
  entrypoints: [join(root, "src/main.ts"), ...workers.toSorted()],
  // The paths of the workers inside the executable begin here.
  root: join(root, "src"),
  target: "bun",
  // What is imported lazily stays a chunk of its own, already compiled: `berth ps` then starts in 10 ms, not in 50.
  format: "esm",
  splitting: true,
  bytecode: true,
  minify: { syntax: true, whitespace: true, identifiers: false },
  define: {
    "process.env.BERTH_VERSION": JSON.stringify(version),
    "process.env.BERTH_COMMIT": JSON.stringify(commit),
  },
  // A daemon run by root must not take settings from whatever folder it is started in.
  compile: { outfile: `${output}.new`, autoloadDotenv: false, autoloadBunfig: false },
});
for (const log of result.logs) console.error(log);
if (!result.success) process.exit(1);
// A running executable cannot be written to, but its name can be given to another.
await rename(`${output}.new`, output);
console.log(`dist/berth ${version} (${commit})`);
