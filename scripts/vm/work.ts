/** The disk with what is tested: dist/berth, the tests, and what runs them. */
import { $ } from "bun";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

interface WorkImage extends AsyncDisposable {
  /** An ext4 file system. */
  path: string;
}

const clone = join(import.meta.dir, "../..");
/** Of no use to a test. */
const heavy = ["@oxlint", "@oxlint-tsgolint", "oxlint", "oxlint-tsgolint", "@typescript", "typescript", "bun-types"];

/** Runs `files` (paths below the clone) when a machine boots with it. Dispose of it, which removes the file. */
export async function workImage(files: readonly string[]): Promise<WorkImage> {
  const folder = await mkdtemp("/var/tmp/berth-vm-");
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const [tree, path] = [join(folder, "tree"), join(folder, "work.ext4")];
  await $`mkdir -p ${tree}/node_modules`;
  await $`cp -r src tests scripts package.json tsconfig.json bunfig.toml dist ${tree}`.cwd(clone);
  const modules = (await $`ls -A node_modules/`.cwd(clone).text()).trim().split("\n");
  const wanted = modules.filter((name) => !heavy.includes(name)).map((name) => `node_modules/${name}`);
  await $`cp -r --no-dereference ${wanted} ${tree}/node_modules`.cwd(clone);
  await Bun.write(join(tree, "vm-tests"), files.map((file) => `${file}\n`).join(""));
  await $`truncate -s 1G ${path}`;
  await $`mkfs.ext4 -q -F -d ${tree} ${path}`;
  await rm(tree, { recursive: true });
  const held = undo.move();
  return { path, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
