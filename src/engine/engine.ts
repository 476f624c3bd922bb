/** The container engine: its parts, wired over one data root, and the order in which they wake and rest. */
import type { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { errorMessage } from "#lib/errors.ts";
import type { Logger } from "#lib/log.ts";
import { prepareHost } from "#linux/cgroup.ts";
import { Inotify } from "#linux/inotify.ts";
import { NamespaceWorker } from "#linux/namespaces.ts";
import { RegistryClient } from "#registry/client/repository.ts";
import type { Schema } from "#store/database.ts";
import type { UnpackLimits } from "#store/layers.ts";
import type { Layout } from "#store/layout.ts";
import { openStore, type Store, storeSchema } from "#store/store.ts";
import { ChangeJournal, changeSchema } from "./change/journal.ts";
import type { EngineContext } from "./container/context.ts";
import { newConsole } from "./container/create.ts";
import { presentPrograms } from "./container/programs.ts";
import { isRunning } from "./container/record.ts";
import { ContainerService } from "./container/service.ts";
import { containerSchema, ContainerStore } from "./container/store.ts";
import { EventBus } from "./event/bus.ts";
import { eventSchema } from "./event/history.ts";
import { LogKeeper } from "./log/keeper.ts";
import { ExecService } from "./exec/service.ts";
import { ImageService } from "./image/service.ts";
import { imageSchema } from "./image/table.ts";
import type { ImageUsers } from "./image/types.ts";
import { NetworkService } from "./network/service.ts";
import { networkSchema } from "./network/store.ts";
import type { NetworkOptions } from "./network/types.ts";
import { ExitWatcher } from "./runtime/exits.ts";
import { OciRuntime } from "./runtime/oci-runtime.ts";
import { Runtimes } from "./runtime/runtimes.ts";
import { loadAppArmorProfile } from "./spec/apparmor.ts";
import { type HostFacts, readHostFacts } from "./spec/host.ts";
import { loadProfile } from "./spec/seccomp-json.ts";
import type { Tuning } from "./tuning.ts";
import { UserMaps, type UsersOptions } from "./users/maps.ts";
import { volumeSchema } from "./volume/schema.ts";
import { VolumeCare } from "./volume/care.ts";
import { VolumeCareJournal, volumeCareSchema } from "./volume/care-journal.ts";
import { VolumeService } from "./volume/service.ts";

/** For `openDatabase`. */
export const engineSchemas: readonly Schema[] = [
  storeSchema,
  imageSchema,
  networkSchema,
  volumeSchema,
  volumeCareSchema,
  eventSchema,
  containerSchema,
  changeSchema,
];

export interface EngineOptions {
  db: Database;
  layout: Layout;
  log: Logger;
  /** Absolute path. */
  conmon: string;
  /** Of one layer. */
  limits?: UnpackLimits;
  /** Of containers that choose none: "unconfined", or JSON in Docker's form. Absent: the built-in profile. */
  seccompProfile?: string;
  network: NetworkOptions;
  users: UsersOptions;
  tuning: Tuning;
}

/**
 * `open`, `recover`, serve clients, `startByPolicy`, and in the end `close`. The caller holds the data root's lock and
 * closes the database afterwards. Dying at any moment instead of closing loses nothing: the next `recover` mends it.
 */
export class Engine {
  readonly containers: ContainerService;
  readonly execs: ExecService;
  readonly images: ImageService;
  readonly networks: NetworkService;
  readonly volumes: VolumeService;
  readonly volumeCare: VolumeCare;
  readonly events: EventBus;
  readonly store: Store;
  readonly host: HostFacts;
  readonly #context: EngineContext;
  readonly #tune: (tuning: Tuning) => void;

  private constructor(context: EngineContext, store: Store, volumeCare: VolumeCare, tune: (tuning: Tuning) => void) {
    this.#context = context;
    this.#tune = tune;
    this.store = store;
    this.containers = new ContainerService(context, store);
    this.execs = new ExecService(context);
    this.images = context.images;
    this.networks = context.networks;
    this.volumes = context.volumes;
    this.volumeCare = volumeCare;
    this.events = context.events;
    this.host = context.host;
  }

  /** Prepares the host's cgroups where the runtime needs it. Throws "unavailable" and "forbidden" with the remedy. */
  static open(options: EngineOptions): Engine {
    const { db, layout, log, limits, network } = options;
    let { tuning } = options;
    for (const folder of [layout.bundles, layout.exits, layout.networkNamespaces]) {
      mkdirSync(folder, { recursive: true, mode: 0o711 });
    }
    const cgroups = prepareHost();
    const host = readHostFacts(cgroups);
    const { seccompProfile } = options;
    if (seccompProfile !== undefined) {
      host.seccompProfile = seccompProfile;
      // What cannot be used should not wait for the first container to say so.
      if (host.seccomp && seccompProfile !== "unconfined") loadProfile(seccompProfile, host.seccomp.host, []);
    }
    const store = openStore(db, layout, log, limits);
    const events = new EventBus(db);
    const emit: EventBus["emit"] = (...event) => events.emit(...event);
    const users = new UserMaps(options.users);
    const namespaces = new NamespaceWorker();
    namespaces.warm();
    const changes = new Inotify();
    const containers = new ContainerStore(db, newConsole);
    const runtimes = new Runtimes(options.conmon, layout.runtimeRoot, tuning.runtimes, tuning.defaultRuntime);
    const registry = new RegistryClient(tuning.registry);
    const programsOf = (id: string) => presentPrograms(runtimes, layout, containers.find(id)?.record);
    const context: EngineContext = {
      layout,
      tuning: () => tuning,
      log,
      containers,
      journal: new ChangeJournal(db),
      images: new ImageService({
        db,
        store,
        layout,
        log,
        emit,
        programs: runtimes.get(""),
        host,
        registry,
        users: usersOf(containers),
      }),
      snapshots: store.snapshots,
      networks: new NetworkService({
        db,
        layout,
        namespaces,
        changes,
        log,
        emit: (action, id, attributes) => emit("network", action, id, attributes),
        // Of no use to containers with user namespaces of their own.
        options: users.byDefault === "host" ? network : { ...network, warm: 0 },
      }),
      volumes: new VolumeService(db, layout, emit, log),
      events,
      host,
      users,
      runtimes,
      programsOf,
      runtime: new OciRuntime(programsOf, (id) => layout.runtimeState(id)),
      exits: new ExitWatcher(layout.exits, changes),
      changes,
      logs: new LogKeeper(changes, log),
      namespaces,
    };
    const { volumes } = context;
    const { trash } = store;
    const journal = new VolumeCareJournal(db);
    const care = new VolumeCare({ engine: context, volumes, containers, layout, journal, trash, emit });
    return new Engine(context, store, care, (changed) => {
      tuning = changed;
      runtimes.configure(changed.runtimes, changed.defaultRuntime);
      registry.configure(changed.registry);
    });
  }

  /** From now on these hold; what is under way ends as it began. */
  tune(tuning: Tuning): void {
    this.#tune(tuning);
  }

  /** Takes over what the last daemon left. Call once, before anything else. */
  async recover(): Promise<void> {
    await this.#loadAppArmor();
    this.volumeCare.recoverFolders();
    await this.volumes.recover();
    await this.containers.recover();
    await this.volumeCare.recoverContainers();
    this.execs.recover();
    this.images.recover();
  }

  /** Without its profile a container could not start: it runs without AppArmor then, and the log says so. */
  async #loadAppArmor(): Promise<void> {
    if (!this.host.apparmor) return;
    try {
      await loadAppArmorProfile();
    } catch (error) {
      this.host.apparmor = false;
      this.#context.log.warn({ error: errorMessage(error) }, "containers run without AppArmor");
    }
  }

  /** Containers run on, unless `stop`. */
  async close(options: { stop: boolean }): Promise<void> {
    await this.containers.close(options);
    await this.networks.close();
    this.#context.exits[Symbol.dispose]();
    this.#context.logs[Symbol.dispose]();
    this.#context.changes[Symbol.dispose]();
    this.#context.namespaces.close();
    await this.store[Symbol.asyncDispose]();
    this.events.close();
  }
}

/** Which containers keep an image from being removed. */
function usersOf(containers: ContainerStore): ImageUsers {
  return (image) =>
    containers
      .all()
      .filter(({ record }) => record.imageId === image || record.mounts.some((mount) => mount.image?.id === image))
      .map(({ id, state, record }) => ({ id, running: isRunning(state), imageName: record.config.Image }));
}
