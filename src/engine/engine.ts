/** The container engine: its parts, wired over one data root, and the order in which they wake and rest. */
import type { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import type { ContainerRecord } from "#engine/container/record.ts";
import type { Logger } from "#lib/log.ts";
import { cgroupHost } from "#linux/cgroup.ts";
import { NamespaceWorker } from "#linux/namespaces.ts";
import type { Schema } from "#store/database.ts";
import type { Layout } from "#store/layout.ts";
import { openStore, type Store, storeSchema } from "#store/store.ts";
import type { EngineContext } from "./container/context.ts";
import { newConsole } from "./container/create.ts";
import { isRunning } from "./container/record.ts";
import { ContainerService } from "./container/service.ts";
import { containerSchema, ContainerStore } from "./container/store.ts";
import { EventBus, eventSchema } from "./event/bus.ts";
import { ExecService } from "./exec/service.ts";
import { ImageService, imageSchema } from "./image/service.ts";
import { NetworkService, networkSchema } from "./network/service.ts";
import type { NetworkOptions } from "./network/types.ts";
import type { MonitorPrograms } from "./runtime/conmon.ts";
import { ExitWatcher } from "./runtime/exits.ts";
import { OciRuntime } from "./runtime/oci-runtime.ts";
import { readHostFacts } from "./spec/host.ts";
import { volumeSchema } from "./volume/schema.ts";
import { VolumeService } from "./volume/service.ts";

/** For `openDatabase`. */
export const engineSchemas: readonly Schema[] = [
  storeSchema,
  imageSchema,
  networkSchema,
  volumeSchema,
  eventSchema,
  containerSchema,
];

export interface EngineOptions {
  db: Database;
  layout: Layout;
  log: Logger;
  /** Absolute paths of conmon and the OCI runtime. */
  conmon: string;
  runtime: string;
  network: NetworkOptions;
}
