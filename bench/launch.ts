/** Starts a Berth and a Docker daemon of the bench's own, and takes away all that they leave. */
import { closeSync, existsSync, openSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sweep } from "../tests/harness/leftovers.ts";
import { until } from "../tests/harness/process.ts";

export interface Launched {
  socket: string;
  pid: number;
  mark: string;
}

/** Two folders of one bench run: what goes to disk, and sockets, bundles and the like. */
export interface Places {
  readonly work: string;
  readonly run: string;
}

/** Resolves when it answers. Its end and clean-up are put on `undo`. */
export async function launchBerth(program: string, places: Places, undo: AsyncDisposableStack): Promise<Launched> {
  const roots = await makeRoots("berth", places, undo);
  const socket = join(roots.exec, "berth.sock");
  const pid = await launch(
    [
      program,
      "daemon",
      `--data-root=${roots.data}`,
      `--exec-root=${roots.exec}`,
      `--host=unix://${socket}`,
      "--bridge=bench0",
      "--bip=10.254.1.1/24",
      `--config-file=${await emptyConfiguration(roots.data)}`,
    ],
    join(places.work, "berth.log"),
    () => answers(socket),
    undo,
  );
  return { socket, pid, mark: `${roots.exec}/` };
}

/** As `launchBerth`; dockerd gets a containerd of its own, so that none of a running Docker's is touched. */
export async function launchDocker(places: Places, undo: AsyncDisposableStack): Promise<Launched> {
  const roots = await makeRoots("docker", places, undo);
  undo.defer(rememberFixedPaths());
  const cgroup = `berth-bench-${process.pid}`;
  undo.defer(() => removeCgroups(cgroup));
  const containerd = join(roots.exec, "containerd.sock");
  const configuration = join(roots.data, "containerd.toml");
  await Bun.write(
    configuration,
    `version = 2
root = ${JSON.stringify(join(roots.data, "containerd"))}
state = ${JSON.stringify(join(roots.exec, "containerd"))}
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = ${JSON.stringify(containerd)}
[plugins."io.containerd.internal.v1.opt"]
path = ${JSON.stringify(join(roots.data, "containerd-opt"))}
`,
  );
  const log = join(places.work, "docker.log");
  await launch(["containerd", "--config", configuration], log, async () => existsSync(containerd), undo);
  const socket = join(roots.exec, "docker.sock");
  const pid = await launch(
    [
      "dockerd",
      `--data-root=${join(roots.data, "docker")}`,
      `--exec-root=${join(roots.exec, "docker")}`,
      `--pidfile=${join(roots.exec, "docker.pid")}`,
      `--host=unix://${socket}`,
      "--bip=10.254.2.1/24",
      `--containerd=${containerd}`,
      `--cgroup-parent=/${cgroup}`,
      `--config-file=${await emptyConfiguration(roots.data)}`,
    ],
    log,
    () => answers(socket),
    undo,
  );
  // containerd and the shims have their paths below the exec root on their command lines.
  return { socket, pid, mark: `${roots.exec}/` };
}

/** The machine's own settings are not what is measured. */
async function emptyConfiguration(folder: string): Promise<string> {
  const path = join(folder, "configuration.json");
  await Bun.write(path, "{}\n");
  return path;
}

async function makeRoots(name: string, places: Places, undo: AsyncDisposableStack) {
  const roots = { data: join(places.work, name), exec: join(places.run, name) };
  for (const root of Object.values(roots)) await mkdir(root, { recursive: true });
  undo.defer(async () => {
    const kernel = { dataRoot: roots.data, execRoot: roots.exec, bridge: places.run };
    await sweep({ ...kernel, containers: new Set(), bridges: new Set() }, { remove: true });
    await rm(roots.exec, { recursive: true });
    await rm(roots.data, { recursive: true });
  });
  return roots;
}

/** The pid of the daemon, which lives in a network namespace of its own: bridges and rules end with it. */
async function launch(
  command: readonly string[],
  log: string,
  ready: () => Promise<boolean>,
  undo: AsyncDisposableStack,
): Promise<number> {
  const descriptor = openSync(log, "a");
  const inNamespace = ["unshare", "--net", "--", "sh", "-c", 'busybox ip link set lo up && exec "$0" "$@"'];
  // Each step replaces the one before: the pid stays. A bench that is killed takes its daemons with it.
  const child = Bun.spawn(["setpriv", "--pdeathsig", "TERM", "--", ...inNamespace, ...command], {
    stdin: "ignore",
    stdout: descriptor,
    stderr: descriptor,
    // Ctrl-C is for the bench, which needs the daemons once more to clean up.
    detached: true,
  });
  closeSync(descriptor);
  undo.defer(async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await child.exited;
    clearTimeout(timer);
  });
  await until(`${command[0]} answers`, async () => {
    if (child.exitCode !== null) {
      const end = (await Bun.file(log).text()).slice(-2000);
      throw new Error(`${command[0]} ended with code ${child.exitCode}; its log ends with:\n${end}`);
    }
    return await ready();
  });
  return child.pid;
}

async function answers(socket: string): Promise<boolean> {
  try {
    const answer = await fetch("http://localhost/_ping", { unix: socket, headers: { Connection: "close" } });
    await answer.bytes();
    return answer.ok;
  } catch {
    return false;
  }
}

/** Docker and containerd make these whatever roots they are given. What was not there before goes with the result. */
function rememberFixedPaths(): () => void {
  const folders = ["/etc/docker", "/run/docker/plugins", "/run/docker", "/run/containerd/s", "/run/containerd"];
  const key = "/etc/docker/key.json";
  const fresh = folders.filter((path) => !existsSync(path));
  const freshKey = !existsSync(key);
  return () => {
    if (freshKey) rmSync(key, { force: true });
    for (const path of fresh) if (existsSync(path) && readdirSync(path).length === 0) rmdirSync(path);
  };
}

/** On the unified hierarchy and on each of the old ones; only empty folders go. */
function removeCgroups(name: string): void {
  const top = "/sys/fs/cgroup";
  if (!existsSync(top)) return;
  const hierarchies = readdirSync(top, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const folder of [top, ...hierarchies.map((entry) => join(top, entry.name))]) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    for (const below of readdirSync(path, { withFileTypes: true }))
      if (below.isDirectory()) rmdirSync(join(path, below.name));
    rmdirSync(path);
  }
}
