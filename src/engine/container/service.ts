/** Everything the Engine API does with containers. */
import type { ContainerConfig, ContainerCreateRequest, ContainerCreateResponse } from "#api/types/container-config.ts";
import type { ContainerStats } from "#api/types/container-stats.ts";
import type {
  CommitResponse,
  ContainerInspect,
  ContainersPruneResponse,
  ContainerSummary,
  ContainerUpdateBody,
  ContainerUpdateResponse,
  FilesystemChange,
  PathStat,
  TopResponse,
  WaitResponse,
} from "#api/types/container.ts";
import type { EndpointSettings } from "#api/types/network.ts";
import type {
  ArchivePutQuery,
  ContainerAttachQuery,
  ContainerCommitQuery,
  ContainerListQuery,
  ContainerLogsQuery,
  ContainerRemoveQuery,
  ContainerStatsQuery,
  ContainerStopQuery,
  ContainerWaitQuery,
  Filters,
} from "#api/types/query.ts";
import type { Platform } from "#api/types/system.ts";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import { resizeTerminal } from "#engine/runtime/resize.ts";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "#engine/runtime/detach-keys.ts";
import { EngineError, withContext } from "#lib/errors.ts";
import type { Hijack } from "#lib/http/hijack.ts";
import type { Lendable } from "#linux/helper-client.ts";
import { exportContainer, listChanges } from "./changes.ts";
import { type CommitStores, commitContainer } from "./commit.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { copyFrom, copyInto, statInContainer } from "./copy.ts";
import { createContainer } from "./create.ts";
import { inspectContainer, summarize } from "./inspect.ts";
import { removeLink } from "./link-changes.ts";
import { linkedNames } from "./links.ts";
import { Lifecycle } from "./lifecycle.ts";
import { selectContainers, selectPrunable } from "./list.ts";
import { readContainerLog } from "./logs.ts";
import { checkName } from "./names.ts";
import { configuredNetworks } from "./configured-networks.ts";
import { connectNetwork, disconnectNetwork } from "./network-attachment.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import { isRunning } from "./record.ts";
import { recoverContainers } from "./recover.ts";
import { discard, removeContainer } from "./remove.ts";
import { Statistics } from "./stats.ts";
import { stopTerms } from "./stop.ts";
import { listProcesses } from "./top.ts";
import type { PackedTree } from "./tree.ts";
import { updateContainer } from "./update.ts";
import { vendorHooks } from "./vendor-hooks.ts";

export class ContainerService {
  readonly #context: EngineContext;
  readonly #stores: CommitStores;
  readonly #lifecycle: Lifecycle;
  readonly #statistics: Statistics;

  constructor(context: EngineContext, stores: CommitStores) {
    this.#context = context;
    this.#stores = stores;
    this.#statistics = new Statistics(context);
    this.#lifecycle = new Lifecycle(context, async (container) => {
      container.removing = true;
      using _ = await container.lock.acquire();
      try {
        await discard(context, container, true);
      } catch (error) {
        container.removing = false;
        throw error;
      }
    });
  }

  /** Adopts what runs, books what ended, removes what was half-made. Call once, before anything else. */
  async recover(): Promise<void> {
    await recoverContainers(this.#context, this.#lifecycle);
  }

  /** What runs for those to come, and only for them, begins or ends (`Housekeeping`). */
  sleep(): void {
    this.#statistics.sleep();
  }

  wake(): void {
    this.#statistics.wake();
  }

  /** Starts what its policy wants up; call once the daemon answers. */
  async startByPolicy(): Promise<void> {
    const due = this.#context.containers.all().filter((container) => container.startWithDaemon);
    await Promise.all(
      due.map((container) => {
        container.startWithDaemon = false;
        return this.#lifecycle.startByPolicy(container);
      }),
    );
  }

  /** No restart begins any more; with `stop`, everything is stopped first. Settles when nothing is half removed. */
  async close(options: { stop: boolean }): Promise<void> {
    const closed = this.#lifecycle.close();
    this.#statistics.sleep();
    const { containers } = this.#context;
    if (options.stop) {
      await Promise.allSettled(containers.all().map((container) => this.#lifecycle.stopWithDaemon(container)));
    }
    await closed;
    await containers.tidy();
  }

  create(name: string, request: ContainerCreateRequest, platform?: Platform): Promise<ContainerCreateResponse> {
    return createContainer(this.#context, name, request, platform);
  }

  start(id: string): Promise<void> {
    return this.#lifecycle.start(this.#get(id));
  }

  stop(id: string, options: ContainerStopQuery): Promise<void> {
    return this.#lifecycle.stop(this.#get(id), options);
  }

  restart(id: string, options: ContainerStopQuery): Promise<void> {
    return this.#lifecycle.restart(this.#get(id), options);
  }

  kill(id: string, signal: string): Promise<void> {
    return this.#lifecycle.kill(this.#get(id), signal);
  }

  pause(id: string): Promise<void> {
    return pauseContainer(this.#context, this.#get(id));
  }

  unpause(id: string): Promise<void> {
    return unpauseContainer(this.#context, this.#get(id));
  }

  async remove(id: string, options: ContainerRemoveQuery): Promise<void> {
    if (options.link) return removeLink(this.#context, id);
    return removeContainer(this.#context, this.#lifecycle, this.#get(id), options);
  }

  async rename(id: string, newName: string): Promise<void> {
    const container = this.#get(id);
    if (newName === "") throw new EngineError("invalid", "Neither old nor new names may be empty");
    const oldName = container.name;
    if (newName.replace(/^\//, "") === oldName) {
      throw new EngineError("invalid", "Renaming a container with the same name as its current name");
    }
    await withContext("Error when allocating new name", () => {
      const name = checkName(newName.startsWith("/") ? newName : `/${newName}`);
      this.#context.containers.rename(container, name);
      this.#context.networks.rename(container.id, name);
    });
    announce(this.#context, container, "rename", { oldName: `/${oldName}` });
  }

  update(id: string, body: ContainerUpdateBody): Promise<ContainerUpdateResponse> {
    return updateContainer(this.#context, id, body);
  }

  async resize(id: string, height: number, width: number): Promise<void> {
    const container = this.#running(id);
    await resizeTerminal(monitorFiles.control(this.#context.layout.bundle(container.id)), height, width);
    announce(this.#context, container, "resize", { height: String(height), width: String(width) });
  }

  async prune(filters: Filters): Promise<ContainersPruneResponse> {
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const container of selectPrunable(this.#context, filters)) {
      const { bytes } = await this.#context.snapshots.usage(container.id);
      await removeContainer(this.#context, this.#lifecycle, container, { force: false, volumes: false });
      deleted.push(container.id);
      reclaimed += bytes;
    }
    this.#context.events.emit("container", "prune", "", { reclaimed: String(reclaimed) });
    return { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed };
  }

  list(query: ContainerListQuery): Promise<ContainerSummary[]> {
    const selected = selectContainers(this.#context, query);
    const names = linkedNames(this.#context.containers);
    return Promise.all(selected.map((container) => summarize(this.#context, container, query.size, names)));
  }

  inspect(id: string, options: { size: boolean }): Promise<ContainerInspect> {
    return inspectContainer(this.#context, this.#get(id), options.size);
  }

  wait(id: string, { condition }: ContainerWaitQuery, signal: AbortSignal): { result: Promise<WaitResponse> } {
    const container = this.#get(id);
    const { state } = container;
    if (condition === "not-running" && !isRunning(state) && state.status !== "restarting") {
      return { result: vendorHooks(container).then(() => ({ StatusCode: state.exitCode })) };
    }
    const result = container.waits.next(condition, signal).then(({ code, error }) => ({
      StatusCode: code,
      ...(error !== undefined && { Error: { Message: error } }),
    }));
    return { result };
  }

  logs(
    id: string,
    query: ContainerLogsQuery,
    signal: AbortSignal,
  ): { tty: boolean; stream: AsyncIterable<Uint8Array> } {
    const container = this.#get(id);
    if (!query.stdout && !query.stderr) {
      throw new EngineError("invalid", "Bad parameters: you must choose at least one stream");
    }
    return { tty: container.record.config.Tty, stream: readContainerLog(this.#context, container, query, signal) };
  }

  async attach(id: string, query: ContainerAttachQuery, hijack: Hijack): Promise<void> {
    const container = this.#get(id);
    const { config } = container.record;
    if (container.state.status === "paused") {
      throw new EngineError("conflict", `container ${container.name} is paused, unpause the container before attach`);
    }
    if (container.state.status === "restarting") {
      throw new EngineError(
        "conflict",
        `container ${container.name} is restarting, wait until the container is running`,
      );
    }
    const detachKeys = parseDetachKeys(query.detachKeys || DEFAULT_DETACH_KEYS);
    const { stdout, stderr } = query;
    const asked = { follow: false, timestamps: false, details: false, stdout, stderr };
    // Before the hijack: it refuses where no log is kept.
    const past = query.logs
      ? readContainerLog(this.#context, container, asked, new AbortController().signal)
      : undefined;
    const connection = hijack({ tty: config.Tty });
    announce(this.#context, container, "attach");
    if (past !== undefined) for await (const chunk of past) await connection.write(chunk);
    if (!query.stream) return connection.end();
    const end = await container.console.attach(connection, {
      stdin: query.stdin,
      stdout: query.stdout,
      stderr: query.stderr,
      detachKeys: config.Tty ? detachKeys : undefined,
    });
    if (end === "detached") announce(this.#context, container, "detach");
  }

  /** Seconds that the slowest running container may take to stop; Infinity where it is waited for without end. */
  slowestStop(): number {
    const running = this.#context.containers.all().filter(({ state }) => isRunning(state));
    const times = running.map((container) => stopTerms(container).timeout);
    return Math.max(0, ...times.map((time) => (time < 0 ? Number.POSITIVE_INFINITY : time)));
  }

  /** Health checks since the daemon started. */
  get healthChecks(): Readonly<{ checks: number; failed: number }> {
    return this.#lifecycle.health.counts;
  }

  counts(): { running: number; paused: number; stopped: number } {
    const counts = { running: 0, paused: 0, stopped: 0 };
    for (const { state } of this.#context.containers.all()) {
      if (state.status === "paused") counts.paused++;
      else if (state.status === "running" || state.status === "restarting") counts.running++;
      else counts.stopped++;
    }
    return counts;
  }

  connectNetwork(network: string, id: string, settings: Partial<EndpointSettings>): Promise<void> {
    return connectNetwork(this.#context, this.#get(id), network, settings);
  }

  disconnectNetwork(network: string, id: string, force: boolean): Promise<void> {
    if (force && this.#context.containers.find(id) === undefined) {
      this.#context.networks.inspect(network);
      throw new EngineError("not-found", `endpoint ${id} not found`);
    }
    return disconnectNetwork(this.#context, this.#get(id), network, force);
  }

  /** Names and ids of the networks that containers, stopped ones too, are configured for. */
  networksInUse(): Set<string> {
    return new Set(this.#context.containers.all().flatMap(({ record }) => configuredNetworks(record)));
  }

  top(id: string, psArguments: string): Promise<TopResponse> {
    return listProcesses(this.#context, this.#get(id), psArguments);
  }

  stats(id: string, query: ContainerStatsQuery, signal: AbortSignal): AsyncIterable<ContainerStats> {
    return this.#statistics.samples(this.#get(id), query, signal);
  }

  changes(id: string): Promise<FilesystemChange[]> {
    return listChanges(this.#context, this.#get(id));
  }

  exportRootfs(id: string, signal: AbortSignal): Promise<PackedTree> {
    return exportContainer(this.#context, this.#get(id), signal);
  }

  statPath(id: string, path: string): Promise<PathStat> {
    return statInContainer(this.#context, this.#get(id), path);
  }

  getArchive(id: string, path: string, signal: AbortSignal): Promise<{ stat: PathStat; stream: PackedTree }> {
    return copyFrom(this.#context, this.#get(id), path, signal);
  }

  putArchive(id: string, query: ArchivePutQuery, body: Lendable, signal: AbortSignal): Promise<void> {
    return copyInto(this.#context, this.#get(id), query, body, signal);
  }

  commit(query: ContainerCommitQuery, config?: Partial<ContainerConfig>): Promise<CommitResponse> {
    return commitContainer(this.#context, this.#stores, this.#get(query.container), query, config);
  }

  #get(id: string): Container {
    return this.#context.containers.get(id);
  }

  #running(id: string): Container {
    const container = this.#get(id);
    if (isRunning(container.state)) return container;
    throw new EngineError("conflict", `container ${container.id} is not running`);
  }
}
