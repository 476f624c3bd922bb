/** Checks that the host can give a bind mount the propagation that was asked for. */
import { realpathSync } from "node:fs";
import type { ResolvedMount } from "#engine/volume/mount.ts";
import { EngineError } from "#lib/errors.ts";
import { listMounts } from "#linux/mountinfo.ts";

/**
 * The propagation that the container's root must have for its mounts: "shared" where one of them is, else "rslave"
 * where one is a slave, else undefined. Throws kind "invalid" where a source lies on a mount that is not shared.
 */
export function rootPropagation(mounts: readonly ResolvedMount[]): string | undefined {
  const shared = mounts.filter(({ propagation }) => propagation === "shared" || propagation === "rshared");
  const slave = mounts.filter(({ propagation }) => propagation === "slave" || propagation === "rslave");
  if (shared.length + slave.length === 0) return undefined;

  const table = listMounts();
  const check = (source: string, words: readonly string[], what: string): void => {
    const real = realpathSync(source);
    const holders = table.filter(({ mountPoint: at }) => at === "/" || real === at || real.startsWith(`${at}/`));
    const holder = holders.reduceRight((best, mount) =>
      mount.mountPoint.length > best.mountPoint.length ? mount : best,
    );
    if (holder.propagation.some((word) => words.some((prefix) => word.startsWith(prefix)))) return;
    const message = `path ${source} is mounted on ${holder.mountPoint} but it is not a ${what} mount`;
    throw new EngineError("invalid", message);
  };
  for (const { source } of shared) check(source, ["shared:"], "shared");
  for (const { source } of slave) check(source, ["shared:", "master:"], "shared or slave");
  return shared.length > 0 ? "shared" : "rslave";
}
