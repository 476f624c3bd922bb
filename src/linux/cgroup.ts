/** How this host arranges control groups, and what the OCI runtime needs done about it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { mountFileSystem } from "./mount.ts";
import { listMounts } from "./mountinfo.ts";

export interface CgroupHost {
  /** "hybrid": v1 controllers beside a v2 hierarchy. */
  readonly mode: "v1" | "v2" | "hybrid";
  /** Usable ones, by their v1 names on v1 and hybrid hosts, else as `cgroup.controllers` lists them. */
  readonly controllers: ReadonlySet<string>;
}

const ROOT = "/sys/fs/cgroup";

/**
 * Looks at what is mounted below /sys/fs/cgroup. Throws "unavailable" where nothing is.
 */
function detectCgroups(): CgroupHost {
  const mounts = listMounts(ROOT);
  if (existsSync(join(ROOT, "cgroup.controllers"))) {
    return { mode: "v2", controllers: new Set(readWords(join(ROOT, "cgroup.controllers"))) };
  }
  const known = knownControllers();
  const controllers = mounts
    .filter(({ type }) => type === "cgroup")
    .flatMap(({ superOptions }) => superOptions.filter((option) => known.has(option)));
  const unified = mounts.some(({ type }) => type === "cgroup2");
  if (controllers.length === 0) {
    throw new EngineError("unavailable", `no cgroup controllers are mounted below ${ROOT}`);
  }
  return { mode: unified ? "hybrid" : "v1", controllers: new Set(controllers) };
}

/**
 * Makes the host fit for containers, as systemd would: mounts the hierarchies where nobody did, gives v1 the
 * controllers that a hybrid host left to v2 (crun refuses such a host), and on v2 passes the controllers on to the
 * groups below the root. Idempotent.
 */
export function prepareHost(): CgroupHost {
  const mounts = listMounts(ROOT);
  if (!mounts.some(({ type }) => type === "cgroup" || type === "cgroup2")) mountEverything();
  const unified = listMounts(ROOT).find(({ type }) => type === "cgroup2")?.mountPoint;
  if (unified === ROOT) delegate();
  else if (unified !== undefined) {
    for (const controller of readWords(join(unified, "cgroup.controllers"))) mountController(controller);
  }
  return detectCgroups();
}

/** A host without an init system that cares: pure v2. */
function mountEverything(): void {
  mountFileSystem(ROOT, { type: "cgroup2", flags: ["nosuid", "nodev", "noexec"] });
}

function mountController(controller: string): void {
  const target = join(ROOT, controller);
  mkdirSync(target, { recursive: true });
  mountFileSystem(target, { type: "cgroup", options: { [controller]: true }, flags: ["nosuid", "nodev", "noexec"] });
}

function delegate(): void {
  const enabled = new Set(readWords(join(ROOT, "cgroup.subtree_control")));
  for (const controller of readWords(join(ROOT, "cgroup.controllers"))) {
    if (enabled.has(controller)) continue;
    try {
      writeFileSync(join(ROOT, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // Inside a container of our own the root group may hold processes: the limits of that controller are then not to be had.
    }
  }
}

function knownControllers(): Set<string> {
  const rows = readFileSync("/proc/cgroups", "utf8").split("\n").slice(1);
  return new Set(rows.map((row) => row.split("\t")[0] ?? "").filter((name) => name !== ""));
}

function readWords(file: string): string[] {
  return readFileSync(file, "utf8")
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
}
