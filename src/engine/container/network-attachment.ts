/** Attaches containers to further networks and detaches them, running or not. */
import type { EndpointSettings } from "#api/types/network.ts";
import { hostTexts, refreshHostFiles } from "#engine/change/host-files.ts";
import type { Keep } from "#engine/network/membership.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { configuredNetworks, withNetwork, withoutNetwork } from "./configured-networks.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { type ContainerRecord, isRunning } from "./record.ts";

/**
 * A running container has its interface when this settles; a stopped one gets it at its next start, and is left as it is
 * where it is attached already.
 */
export async function connectNetwork(
  context: EngineContext,
  container: Container,
  network: string,
  settings: Partial<EndpointSettings>,
): Promise<void> {
  using _ = await container.lock.acquire();
  assertStays(container);
  const { networks } = context;
  const { record, state, id } = container;
  const { Name } = networks.inspect(network);
  assertJoins(context, record, network);
  if (!isRunning(state) && configured(context, record).has(Name)) return;
  await asOne(context, container, withNetwork(record, Name, settings), async (keep) => {
    const endpoint = await networks.connect(network, id, settings, keep);
    if (endpoint === undefined) keep();
  });
}

/**
 * Throws "conflict" where the container is not attached. With `force` a network that is gone is taken off the container's
 * configuration.
 */
export async function disconnectNetwork(
  context: EngineContext,
  container: Container,
  network: string,
  force: boolean,
): Promise<void> {
  using _ = await container.lock.acquire();
  assertStays(container);
  const { networks } = context;
  const { record, state, id } = container;
  const { Name, Id, Driver } = found(context, network, force);
  const running = isRunning(state);
  if (running && Driver === "host" && record.hostConfig.NetworkMode === "host") {
    throw new EngineError(
      "invalid",
      "cannot disconnect container from host network - container was created in host network mode",
    );
  }
  const joined = networks.sandbox(id)?.endpoints.some(({ networkId }) => networkId === Id) ?? false;
  const next = withoutNetwork(record, [Name, Id]);
  if (!joined && next === undefined) {
    const where = running ? `network ${Name}` : `the network ${Name}`;
    throw new EngineError("conflict", `container ${id} is not connected to ${where}`);
  }
  await asOne(context, container, next ?? record, async (keep) => {
    if (!joined) keep();
    else await networks.disconnect(Id, id, keep);
  });
}

/** Throws "invalid" in Docker's words for a container that cannot join the network beside those that it is in. */
export function assertJoins(context: Pick<EngineContext, "networks">, record: ContainerRecord, network: string): void {
  const { NetworkMode } = record.hostConfig;
  const { Name, Driver } = context.networks.inspect(network);
  const refuse = (message: string): never => {
    throw new EngineError("invalid", message);
  };
  if (NetworkMode.startsWith("container:")) refuse(SHARED);
  if (Driver === "host" && NetworkMode !== "host") {
    refuse("cannot connect container to host network - container must be created in host network mode");
  }
  const others = configured(context, record);
  if (others.has(Name) || others.size === 0) return;
  if (others.has("host")) refuse(SHARED);
  if (others.has("none") || Name === "none") {
    refuse("container cannot be connected to multiple networks with one of the networks in private (none) mode");
  }
}

const SHARED =
  "container sharing network namespace with another container or host cannot be connected to any other network";

/** Names of the networks that a container is in, or will be when it runs. */
function configured({ networks }: Pick<EngineContext, "networks">, record: ContainerRecord): Set<string> {
  const sandbox = networks.sandbox(record.id);
  if (sandbox !== undefined) return new Set(sandbox.endpoints.map(({ networkName }) => networkName));
  return new Set(configuredNetworks(record).map((reference) => nameOf(networks, reference)));
}

function nameOf(networks: EngineContext["networks"], reference: string): string {
  try {
    return networks.inspect(reference).Name;
  } catch {
    // Removed meanwhile.
    return reference;
  }
}

function found({ networks }: EngineContext, network: string, force: boolean) {
  try {
    return networks.inspect(network);
  } catch (error) {
    if (!force) throw error;
    return { Name: network, Id: network, Driver: "" };
  }
}

/**
 * Does `work`, which calls its argument once, in the transaction that makes the change count. What a crash leaves undone
 * behind that, the container's own files, is in the journal.
 */
async function asOne(
  context: EngineContext,
  container: Container,
  next: ContainerRecord,
  work: (keep: Keep) => Promise<void>,
): Promise<void> {
  const { containers, journal, log } = context;
  const { id, state } = container;
  const before = { ...container.record };
  let kept = false;
  const texts = hostTexts(context, id);
  if (texts !== undefined) {
    journal.write(id, { startedAt: state.startedAt, mounts: [], unmounts: [], volumes: [], texts });
  }
  try {
    await work(() => {
      containers.replaceRecord(container, next);
      kept = true;
    });
    refreshHostFiles(context, container.record, texts);
  } catch (error) {
    if (kept) containers.replaceRecord(container, before);
    throw error;
  } finally {
    try {
      journal.finish(id);
    } catch (failure) {
      // It stays, and the next daemon has nothing to do for it.
      log.error({ container: id, error: errorMessage(failure) }, "cannot forget a finished change");
    }
  }
}

function assertStays({ removing, state, id }: Container): void {
  if (!removing && state.status !== "dead") return;
  const what = "marked for removal and cannot be connected or disconnected to the network";
  throw new EngineError("conflict", `Container ${id} is ${what}`);
}
