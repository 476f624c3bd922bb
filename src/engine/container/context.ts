/** What the operations on containers work with; wired once by the engine. */
import type { ChangeJournal } from "#engine/change/journal.ts";
import type { EventBus } from "#engine/event/bus.ts";
import type { ImageService } from "#engine/image/service.ts";
import type { LogKeeper } from "#engine/log/keeper.ts";
import type { NetworkService } from "#engine/network/service.ts";
import type { MonitorPrograms } from "#engine/runtime/conmon.ts";
import type { ExitWatcher } from "#engine/runtime/exits.ts";
import type { OciRuntime } from "#engine/runtime/oci-runtime.ts";
import type { Runtimes } from "#engine/runtime/runtimes.ts";
import type { HostFacts } from "#engine/spec/host.ts";
import type { UserMaps } from "#engine/users/maps.ts";
import type { VolumeService } from "#engine/volume/service.ts";
import type { Tuning } from "#engine/tuning.ts";
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import type { Inotify } from "#linux/inotify.ts";
import type { NamespaceWorker } from "#linux/namespaces.ts";
import type { Layout } from "#store/layout.ts";
import type { Snapshots } from "#store/snapshots.ts";
import type { Container } from "./container.ts";
import type { ContainerStore } from "./store.ts";

export interface EngineContext {
  readonly layout: Layout;
  readonly log: Logger;
  readonly containers: ContainerStore;
  /** Changes of running containers that are under way. */
  readonly journal: ChangeJournal;
  readonly images: ImageService;
  readonly snapshots: Snapshots;
  readonly networks: NetworkService;
  readonly volumes: VolumeService;
  readonly events: EventBus;
  readonly host: HostFacts;
  readonly users: UserMaps;
  readonly runtimes: Runtimes;
  /** What runs a container: its own choice among `runtimes`. */
  readonly programsOf: (id: string) => MonitorPrograms;
  readonly runtime: OciRuntime;
  readonly exits: ExitWatcher;
  readonly changes: Inotify;
  readonly logs: LogKeeper;
  readonly namespaces: NamespaceWorker;
  /** As it is at this moment. */
  readonly tuning: () => Tuning;
}

/** Announces what happened to a container, with the attributes that Docker's events carry. */
export function announce(
  context: EngineContext,
  container: Container,
  action: string,
  attributes: Record<string, string> = {},
  options: { passing?: boolean } = {},
): void {
  const { config, name, id } = container.record;
  context.events.emit("container", action, id, { ...config.Labels, ...attributes, image: config.Image, name }, options);
}

/**
 * Writes the state down. False, and a line in the log, where the database cannot take it (a full disk): processes must
 * end and exits be told all the same, and the next daemon learns what it missed from the exit file and the runtime.
 */
export function saveState(context: EngineContext, container: Container): boolean {
  try {
    context.containers.saveState(container);
    return true;
  } catch (error) {
    context.log.error({ container: container.id, error: errorMessage(error) }, "cannot write a container's state down");
    return false;
  }
}
