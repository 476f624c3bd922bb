/** What a request to change a container comes to: its record afterwards, and what is to be done to the one that runs. */
import type { ContainerChanges } from "#api/types/change.ts";
import type { Container } from "#engine/container/container.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { sandboxRequest } from "#engine/container/network.ts";
import { type ContainerRecord, isRunning } from "#engine/container/record.ts";
import { changeLists, changesFiles } from "./lists.ts";
import { changeMounts, type MountPlan } from "./mounts.ts";
import { changeNetworks, type NetworkPlan } from "./networks.ts";
import { changePorts, type PortPlan } from "./ports.ts";

export interface ChangePlan {
  next: ContainerRecord;
  mounts: MountPlan;
  networks: NetworkPlan;
  ports: PortPlan;
  /** The container's hosts or resolv.conf change. */
  files: boolean;
}

/** `record` is the container's with other changes made already. Changes nothing; throws whatever can be known before. */
export function planChanges(
  context: EngineContext,
  container: Container,
  record: ContainerRecord,
  changes: ContainerChanges,
): ChangePlan {
  const next = structuredClone(record);
  const running = isRunning(container.state);
  const { layout, networks, images } = context;
  const published = running ? (networks.publishedPorts(container.id)?.published ?? []) : undefined;
  changeLists(next, changes);
  const plan: ChangePlan = {
    next,
    mounts: changeMounts(next, changes, {
      running,
      volumePath: (volume) => layout.volumeData(volume),
      imageOf: (reference) => images.resolve(reference),
    }),
    networks: changes.Networks
      ? changeNetworks(context, next, changes.Networks)
      : { add: new Map<string, never>(), remove: new Map<string, never>() },
    ports: changes.PortBindings ? changePorts(next, changes.PortBindings, published) : { add: {}, remove: [] },
    files: changesFiles(changes),
  };
  networks.validate(sandboxRequest(next));
  return plan;
}
