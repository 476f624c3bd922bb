/** A container's user namespace: made before its run, so that its files and its network can be made to fit. */
import { readlinkSync } from "node:fs";
import type { HostConfig } from "#api/types/container-config.ts";
import type { ResolvedUser } from "#engine/spec/user.ts";
import { EngineError } from "#lib/errors.ts";
import { type IdMap, idMapOf, toOutside } from "#linux/id-map.ts";
import { OwnerShift, UserNamespace } from "#linux/user-namespace.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { isRunning } from "./record.ts";

/** What a start needs of it; to be disposed of when the container's processes are in. All undefined: it is the host's. */
export interface ContainerUsers extends AsyncDisposable {
  /** For the runtime to join. */
  readonly namespace?: string;
  /** An empty network namespace that belongs to it. */
  readonly network?: string;
  readonly map?: IdMap;
  /** Mounts files so that ids on disk are those inside. */
  readonly owners?: OwnerShift;
}

/** Checks `--userns` of a container to be made. Throws "invalid", in Docker's words where it has some. */
export function checkUserNamespace({ users }: EngineContext, hostConfig: HostConfig): void {
  const { kind } = users.resolve(hostConfig.UsernsMode);
  if (kind === "host") return;
  const refuse = (condition: boolean, message: string): void => {
    if (condition) throw new EngineError("invalid", message);
  };
  refuse(
    hostConfig.Privileged,
    "privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode",
  );
  const { NetworkMode, PidMode, IpcMode, UsernsMode } = hostConfig;
  refuse(NetworkMode === "host", "cannot share the host's network namespace when user namespaces are enabled");
  refuse(PidMode === "host", "cannot share the host PID namespace when user namespaces are enabled");
  refuse(IpcMode === "host", "cannot share the host's IPC namespace when user namespaces are enabled");
  const joins = sharedWith(hostConfig).length > 0;
  refuse(
    joins && UsernsMode !== "",
    "conflicting options: a user namespace of its own and the namespaces of another container",
  );
}

/** Gives a container that needs ids of its own a range of the pool, for good. The caller saves the record. */
export function assignIds({ users, containers }: EngineContext, { record }: Container): boolean {
  const mode = users.resolve(record.hostConfig.UsernsMode);
  if ((mode.kind !== "auto" && mode.kind !== "keep") || sharedWith(record.hostConfig).length > 0) return false;
  const size = mode.kind === "auto" ? mode.size : 1;
  if (record.idSpan?.size === size) return false;
  const taken = containers.all().flatMap((other) => (other.id === record.id ? [] : (other.record.idSpan ?? [])));
  record.idSpan = users.take(size, taken);
  return true;
}

/** The caller holds the container's lock. Rejects "unavailable" where the kernel makes no such namespace. */
export async function openUsers(context: EngineContext, container: Container): Promise<ContainerUsers> {
  const { hostConfig } = container.record;
  await using undo = new AsyncDisposableStack();
  if (context.users.resolve(hostConfig.UsernsMode).kind === "host") return own({}, undo);
  const others = sharedWith(hostConfig).map((id) => context.containers.get(id));
  const [other] = others;
  if (other !== undefined) {
    const map = joinedMap(container, others);
    const owners = undo.use(await OwnerShift.create(map));
    return own({ namespace: `/proc/${other.state.pid}/ns/user`, map, owners }, undo.move());
  }
  if (assignIds(context, container)) context.containers.saveRecord(container);
  const map = context.users.map(hostConfig.UsernsMode, container.record.idSpan);
  if (map === undefined) return own({}, undo);
  const [namespace, owners] = await Promise.allSettled([
    UserNamespace.create(map, { network: true }),
    OwnerShift.create(map),
  ]);
  if (owners.status === "fulfilled") undo.use(owners.value);
  if (namespace.status === "fulfilled") undo.use(namespace.value);
  if (namespace.status === "rejected") throw namespace.reason;
  if (owners.status === "rejected") throw owners.reason;
  return own(
    {
      namespace: namespace.value.path("user"),
      network: namespace.value.path("net"),
      map,
      owners: owners.value,
    },
    undo.move(),
  );
}

/** Throws "invalid" where the user or a group has no id in the container's namespace: the runtime would not say which. */
export function assertMapped(map: IdMap | undefined, { uid, gid, additionalGids }: ResolvedUser): void {
  if (map === undefined) return;
  const group = [gid, ...additionalGids].find((id) => toOutside(map.gids, id) === undefined);
  const missing = toOutside(map.uids, uid) === undefined ? `user ${uid}` : group === undefined ? "" : `group ${group}`;
  if (missing !== "") {
    throw new EngineError("invalid", `${missing} has no id in the container's user namespace: choose a larger one`);
  }
}

/** The map of a running container; undefined where it has no user namespace. */
export function runningMap({ state }: Container): IdMap | undefined {
  return isRunning(state) ? idMapOf(state.pid) : undefined;
}

/** The host's ids for root inside. */
export function rootOf({ map }: Pick<ContainerUsers, "map">): { uid: number; gid: number } {
  return { uid: toOutside(map?.uids ?? [], 0) ?? 0, gid: toOutside(map?.gids ?? [], 0) ?? 0 };
}

/** Ids of the containers whose namespaces it joins: they belong to their user namespace, hence it must be in that one. */
function sharedWith({ NetworkMode, IpcMode, PidMode }: HostConfig): string[] {
  const modes = [PidMode, IpcMode, NetworkMode].filter((mode) => mode.startsWith("container:"));
  return [...new Set(modes.map((mode) => mode.slice("container:".length)))];
}

function joinedMap(container: Container, others: readonly Container[]): IdMap {
  const stopped = others.find(({ state }) => !isRunning(state));
  if (stopped !== undefined) {
    throw new EngineError("conflict", `cannot join namespace of a non running container: ${stopped.id}`);
  }
  const spaces = new Set(others.map(({ state }) => readlinkSync(`/proc/${state.pid}/ns/user`)));
  const map = spaces.size === 1 ? idMapOf(others[0]?.state.pid ?? 0) : undefined;
  if (map !== undefined) return map;
  const whose = spaces.size === 1 ? "the host's user namespace" : "several user namespaces";
  const message = `container ${container.id} cannot join containers of ${whose}: run it with --userns=host`;
  throw new EngineError("conflict", message);
}

function own(users: Omit<ContainerUsers, keyof AsyncDisposable>, held: AsyncDisposableStack): ContainerUsers {
  return { ...users, [Symbol.asyncDispose]: () => held.disposeAsync() };
}
