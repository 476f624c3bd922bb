/** Takes a container from its record to a running process; whatever fails on the way is undone. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "#engine/network/types.ts";
import { createMonitored, monitorFiles, RuntimeRefusal } from "#engine/runtime/conmon.ts";
import { killMonitors } from "#engine/runtime/monitors.ts";
import { resizeTerminal } from "#engine/runtime/resize.ts";
import { buildSpec } from "#engine/spec/build.ts";
import { specJson } from "#engine/spec/json.ts";
import { translateRuntimeError } from "#engine/spec/runtime-error.ts";
import { resolveUser } from "#engine/spec/user.ts";
import { refuseProcMounts } from "#engine/volume/proc-places.ts";
import { volumesOf } from "#engine/volume/mount.ts";
import { prepareBindSources } from "#engine/volume/resolve.ts";
import { EngineError } from "#lib/errors.ts";
import type { IdMap } from "#linux/id-map.ts";
import { mountTmpfs } from "#linux/mount.ts";
import { startTime } from "#linux/process.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { openLinks } from "./links.ts";
import { sandboxRequest } from "./network.ts";
import { newPrograms } from "./programs.ts";
import { isRunning } from "./record.ts";
import { holdFiles, holdMounts } from "./held-mounts.ts";
import { mountRootfs, removeBundle } from "./rootfs.ts";
import { StartLimit } from "./start-limit.ts";
import { assertMapped, type ContainerUsers, openUsers, rootOf } from "./users.ts";

/** The process could not be started; `exitCode` is what `docker run` then exits with, and what inspect shows. */
export class StartFailure extends EngineError {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(exitCode === 126 || exitCode === 127 ? "invalid" : "internal", message, options);
    this.exitCode = exitCode;
  }
}

export interface Launched {
  pid: number;
  pidStartTime: number;
}

/** The caller holds the container's lock. Rejects with StartFailure where the runtime refused, and as its parts do. */
export async function launch(context: EngineContext, container: Container): Promise<Launched> {
  const { layout, networks, runtime, exits } = context;
  const { id, config, hostConfig, mounts } = container.record;
  await using users = await openUsers(context, container);
  await using undo = new AsyncDisposableStack();

  const links = openLinks(context, container.record);
  const bundle = layout.bundle(id);
  mkdirSync(bundle, { recursive: true, mode: 0o710 });
  undo.defer(() => removeBundle(context, id));
  undo.defer(() => networks.release(id));
  const [sandbox, rootfs] = await bothSettled(
    networks.allocate({
      ...sandboxRequest(container.record),
      linked: links.hosts,
      ...(users.network && { namespace: users.network }),
    }),
    mountRootfs(context, id, users),
  );

  prepareBindSources(mounts);
  refuseProcMounts(rootfs, mounts);
  await context.volumes.mounts.hold(id, volumesOf(mounts));
  await context.volumes.populate(id, mounts, rootfs, users.map);
  const user = resolveUser(rootfs, config.User, hostConfig.GroupAdd ?? []);
  assertMapped(users.map, user);
  const shmPath = shareMemory(context, container, users);
  const { spec, warnings } = buildSpec(
    {
      id,
      config: { ...config, Env: [...links.env, ...(config.Env ?? [])] },
      hostConfig,
      rootfs,
      user,
      mounts: await holdMounts(context, id, mounts, users, () => user),
      files: holdFiles(context, id, writeHostFiles(context, container, sandbox), users),
      namespaces: { ...namespacePaths(context, container, sandbox), ...userNamespace(users) },
      noNewPrivileges: context.tuning().noNewPrivileges,
      ...(shmPath !== undefined && { shmPath }),
    },
    context.host,
  );
  for (const warning of warnings) context.log.warn({ container: id }, warning);
  writeFileSync(join(bundle, "config.json"), specJson(spec), { mode: 0o600 });

  exits.forget(id);
  undo.defer(async () => {
    // A runtime that has lost its monitor goes on by itself.
    await killMonitors(layout.runtimeRoot, new Set([id]));
    await runtime.delete(id);
  });
  using limit = new StartLimit(context, id);
  try {
    const pid = await createMonitored(newPrograms(context.runtimes, container.record), {
      containerId: id,
      folder: bundle,
      exitFolder: layout.exits,
      logPath: hostConfig.LogConfig.Type === "none" ? undefined : layout.containerLog(id),
      tty: config.Tty,
      stdin: config.OpenStdin,
      leaveStdinOpen: config.Tty || !config.StdinOnce,
      held: networks.heldSockets(id),
    });
    await container.console.open(monitorFiles.attach(bundle));
    const [height, width] = hostConfig.ConsoleSize;
    // The runtime's own consoleSize does not reach the terminal that conmon holds.
    if (config.Tty) await resizeTerminal(monitorFiles.control(bundle), height, width);
    const pidStartTime = startTime(pid) ?? 0;
    await runtime.start(id, spec.hooks !== undefined);
    undo.move();
    return { pid, pidStartTime };
  } catch (error) {
    await container.console.close();
    if (!(error instanceof RuntimeRefusal)) throw error;
    if (limit.exceeded) {
      const message = `the OCI runtime did not start the container within ${context.tuning().startTimeout} seconds`;
      throw new StartFailure(message, 128, { cause: error });
    }
    const failure = translateRuntimeError(error.output, spec.process.args[0] ?? "");
    throw new StartFailure(failure.message, failure.exitCode, { cause: error });
  }
}

/** The files that are bound over the image's own; they outlive the run so that inspect's paths stay true. */
function writeHostFiles(
  { layout }: EngineContext,
  { record }: Container,
  sandbox: Sandbox,
): { hostname: string; hosts: string; resolvConf: string } {
  const owner = layout.container(sandbox.sharedWith ?? record.id);
  const files = {
    hostname: join(owner, "hostname"),
    hosts: join(owner, "hosts"),
    resolvConf: join(owner, "resolv.conf"),
  };
  mkdirSync(layout.container(record.id), { recursive: true, mode: 0o710 });
  if (sandbox.sharedWith !== undefined) return files;
  writeFileSync(files.hostname, `${record.config.Hostname}\n`, { mode: 0o644 });
  writeFileSync(files.hosts, sandbox.hosts, { mode: 0o644 });
  writeFileSync(files.resolvConf, sandbox.resolvConf, { mode: 0o644 });
  return files;
}

function namespacePaths(
  context: EngineContext,
  container: Container,
  sandbox: Sandbox,
): { network: { path: string } | "host" | "new"; pid?: string; ipc?: string } {
  const { PidMode, IpcMode } = container.record.hostConfig;
  return {
    network: sandbox.netnsPath === undefined ? "host" : { path: sandbox.netnsPath },
    ...(PidMode.startsWith("container:") && { pid: `/proc/${joined(context, PidMode).state.pid}/ns/pid` }),
    ...(IpcMode.startsWith("container:") && { ipc: `/proc/${joined(context, IpcMode).state.pid}/ns/ipc` }),
  };
}

function userNamespace({ namespace, map }: ContainerUsers): { user?: { path: string; map: IdMap } } {
  return namespace === undefined || map === undefined ? {} : { user: { path: namespace, map } };
}

/** The running container that a mode such as `container:web` names. */
function joined(context: EngineContext, mode: string): Container {
  const other = context.containers.get(mode.slice("container:".length));
  if (isRunning(other.state)) return other;
  throw new EngineError("conflict", `cannot join namespace of a non running container: ${other.id}`);
}

/** A shareable container's /dev/shm lives in its bundle, where others that join its IPC find it. */
function shareMemory(context: EngineContext, container: Container, users: ContainerUsers): string | undefined {
  const { IpcMode, ShmSize } = container.record.hostConfig;
  if (IpcMode.startsWith("container:")) return context.layout.sharedMemory(joined(context, IpcMode).id);
  if (IpcMode !== "shareable") return undefined;
  const target = context.layout.sharedMemory(container.id);
  mkdirSync(target, { recursive: true });
  mountTmpfs(target, { size: ShmSize, mode: 0o1777, owner: rootOf(users), flags: ["nosuid", "nodev", "noexec"] });
  return target;
}

/** Like Promise.all, but rejects only when both are over: what each made can then be undone. */
async function bothSettled<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return Promise.all([first, second]);
}
