/** Start, exit, stop, kill, restart: every change of a container's state goes through here, one at a time. */
import { monitorFiles } from "#engine/runtime/conmon.ts";
import type { ExitRecord } from "#engine/runtime/exits.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { formatTime, now, parseTime } from "#lib/time.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext, saveState } from "./context.ts";
import { HealthWatch } from "./health-watch.ts";
import { launch, StartFailure } from "./launch.ts";
import { refreshParents } from "./link-changes.ts";
import { finishLog, watchLog } from "./logs.ts";
import { announceMounts } from "./mount-events.ts";
import { isRunning } from "./record.ts";
import { nextDelay, shouldRestart } from "./restart-policy.ts";
import { cleanUp, releaseNetwork } from "./remains.ts";
import { MonitorWatch } from "./monitor-watch.ts";
import { OomWatch } from "./oom-watch.ts";
import { parseSignal } from "./signals.ts";
import { endContainer, SIGKILL, signalContainer, stopTerms, thawContainer } from "./stop.ts";
import { endUnhealthy } from "./unhealthy.ts";
import { unlessUnmodified } from "./unmodified.ts";
import { vendorHooks } from "./vendor-hooks.ts";

/** Exit code of a container whose monitor died before it: without its streams it cannot go on, so it is killed. */
export const MONITOR_LOST = 137;

export class Lifecycle {
  readonly #context: EngineContext;
  /** Removes a container whose run has ended (`--rm`). */
  readonly #autoRemove: (container: Container) => Promise<void>;
  readonly #monitors: MonitorWatch;
  readonly #ooms: OomWatch;
  readonly health: HealthWatch;
  #closing = false;

  constructor(context: EngineContext, autoRemove: (container: Container) => Promise<void>) {
    this.#context = context;
    this.#autoRemove = autoRemove;
    this.#ooms = new OomWatch(context);
    this.#monitors = new MonitorWatch(context, (container) => this.#monitorLost(container));
    this.health = new HealthWatch(context, (container) => void endUnhealthy(context, container));
  }

  /** From now on no restart policy starts anything. Settles when no health check runs. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#monitors[Symbol.dispose]();
    for (const container of this.#context.containers.all()) this.#cancelRestart(container);
    await this.health.close();
  }

  /** Throws "not-modified" where it runs, StartFailure where the runtime refused. */
  async start(container: Container): Promise<void> {
    let failure: unknown;
    {
      using _ = await container.lock.acquire();
      if (container.state.status === "paused") {
        throw new EngineError("conflict", "cannot start a paused container, try unpause instead");
      }
      // For users a container runs also while its policy is about to start it.
      if (isRunning(container.state) || container.state.status === "restarting") {
        throw new EngineError("not-modified", `container ${container.id} is already running`);
      }
      container.assertStartable();
      container.restartDelay = 0;
      container.state.restartCount = 0;
      container.state.stoppedByUser = false;
      try {
        await this.#launch(container);
        return;
      } catch (error) {
        this.#startFailed(container, error);
        failure = error;
      }
    }
    if (container.record.hostConfig.AutoRemove && !container.removing) await this.#autoRemove(container);
    throw failure;
  }

  /** Takes a run that an earlier daemon began under this one's eyes; the caller has seen that its monitor is alive. */
  adopt(container: Container): void {
    container.run = new AbortController();
    void container.console.open(monitorFiles.attach(this.#context.layout.bundle(container.id)));
    this.#watch(container);
    this.health.adopt(container);
    if (container.state.endedUnhealthy !== true) return;
    // The daemon that began to end it cannot send the SIGKILL any more.
    container.state.endedUnhealthy = false;
    void endUnhealthy(this.#context, container);
  }

  /** Books an exit that happened while no daemon ran. */
  async exitedMeanwhile(container: Container, exit: ExitRecord, oomKilled: boolean): Promise<void> {
    await this.#exited(container, exit, oomKilled);
  }

  /** Sends the stop signal, and SIGKILL after the timeout (seconds; negative never). Throws "not-modified". */
  async stop(container: Container, options: { signal?: string; timeout?: number } = {}): Promise<void> {
    const own = stopTerms(container);
    const signal = options.signal ? parseSignal(options.signal) : own.signal;
    const { gone } = await this.#ending(container, signal, options.timeout ?? own.timeout);
    await gone;
    announce(this.#context, container, "stop");
  }

  /** As `stop`, for a daemon that takes its containers along: their policies hold when the next one starts. */
  async stopWithDaemon(container: Container): Promise<void> {
    let gone: Promise<unknown> | undefined;
    {
      using _ = await container.lock.acquire();
      if (!isRunning(container.state)) return;
      const { signal, timeout } = stopTerms(container);
      ({ gone } = endContainer(this.#context, container, signal, timeout));
    }
    await gone;
    await container.cleanup;
  }

  async restart(container: Container, options: { signal?: string; timeout?: number } = {}): Promise<void> {
    // `--rm` must not take away what is about to start again.
    container.restartRequested = true;
    try {
      await unlessUnmodified(this.stop(container, options));
    } finally {
      container.restartRequested = false;
    }
    await unlessUnmodified(this.start(container));
    announce(this.#context, container, "restart");
  }

  /** Throws "conflict" where nothing runs. */
  async kill(container: Container, name: string): Promise<void> {
    const signal = parseSignal(name === "" ? "KILL" : name);
    const ends = signal === SIGKILL || signal === stopTerms(container).signal;
    let gone: Promise<unknown> | undefined;
    {
      using _ = await container.lock.acquire();
      if (container.state.status === "restarting") {
        if (ends) this.#stopRestarting(container);
        return;
      }
      if (!isRunning(container.state)) {
        throw new EngineError("conflict", `container ${container.id} is not running`);
      }
      if (ends) {
        container.state.stoppedByUser = true;
        saveState(this.#context, container);
        thawContainer(this.#context, container);
      }
      if (signal === SIGKILL) gone = container.waits.next("next-exit");
      signalContainer(this.#context, container, signal);
    }
    await gone;
  }

  /** For `rm -f`: gone as fast as the kernel can. */
  async killNow(container: Container): Promise<void> {
    if (!isRunning(container.state) && container.state.status !== "restarting") return;
    const ending = await unlessUnmodified(this.#ending(container, SIGKILL, -1));
    await ending?.gone;
  }

  /** `gone` settles when the process is gone and the exit booked. Throws "not-modified" where nothing runs. */
  async #ending(
    container: Container,
    signal: number,
    timeout: number,
  ): Promise<{ gone: Promise<unknown> | undefined }> {
    using _ = await container.lock.acquire();
    if (container.state.status === "restarting") {
      this.#stopRestarting(container);
      return { gone: undefined };
    }
    if (!isRunning(container.state)) {
      throw new EngineError("not-modified", `container ${container.id} is already stopped`);
    }
    container.state.stoppedByUser = true;
    saveState(this.#context, container);
    return endContainer(this.#context, container, signal, timeout);
  }

  async #launch(container: Container): Promise<void> {
    await container.settled();
    const launched = await launch(this.#context, container);
    container.state = {
      ...container.state,
      ...launched,
      status: "running",
      exitCode: 0,
      error: "",
      oomKilled: false,
      startedAt: formatTime(now()),
      endedUnhealthy: false,
      ...HealthWatch.fresh(container),
    };
    saveState(this.#context, container);
    container.run = new AbortController();
    this.#watch(container);
    this.health.begin(container);
    announceMounts(this.#context, container, "mount");
    announce(this.#context, container, "start");
    await refreshParents(this.#context, container);
  }

  #startFailed(container: Container, error: unknown): void {
    container.state.exitCode = error instanceof StartFailure ? error.exitCode : 128;
    container.state.error = errorMessage(error);
    container.state.pid = 0;
    if (container.state.status === "restarting") container.state.status = "exited";
    saveState(this.#context, container);
    const status = { code: container.state.exitCode, error: container.state.error };
    container.waits.exited(status);
    announce(this.#context, container, "die", { exitCode: String(container.state.exitCode) });
  }

  #watch(container: Container): void {
    this.#context.exits
      .next(container.id)
      .then((exit) => this.#exited(container, exit))
      .catch((error: unknown) => {
        this.#context.log.error({ container: container.id, error: errorMessage(error) }, "cannot book an exit");
      });
    this.#monitors.add(container);
    this.#ooms.begin(container);
    watchLog(this.#context, container);
  }

  /** Nobody reads its output or will tell its exit: what still runs of it is killed. */
  async #monitorLost(container: Container): Promise<void> {
    const { exits, runtime, log } = this.#context;
    log.error({ container: container.id }, "the monitor of a container died: the container is killed");
    exits.forget(container.id);
    await runtime.delete(container.id).catch((error: unknown) => {
      log.warn({ container: container.id, error: errorMessage(error) }, "the runtime cannot remove a container");
    });
    await this.#exited(container, { code: MONITOR_LOST, time: now() });
  }

  async #exited(container: Container, exit: ExitRecord, oomKilled?: boolean): Promise<void> {
    const { hostConfig } = container.record;
    let restarting = false;
    {
      using _ = await container.lock.acquire();
      const started = parseTime(container.state.startedAt) ?? exit.time;
      // A file's time is the kernel's last tick: it may lie before a start of the same moment.
      const finished = exit.time > started ? exit.time : started;
      this.health.end(container);
      this.#ooms.end(container);
      container.state = {
        ...container.state,
        status: "exited",
        pid: 0,
        pidStartTime: 0,
        exitCode: exit.code,
        oomKilled: container.state.oomKilled || (oomKilled ?? false),
        finishedAt: formatTime(finished),
      };
      restarting = !this.#closing && !container.removing && shouldRestart(hostConfig.RestartPolicy, container.state);
      if (restarting) {
        container.state.status = "restarting";
        container.state.restartCount++;
        container.restartDelay = nextDelay(container.restartDelay, Number((finished - started) / 1_000_000n));
      }
      const saved = saveState(this.#context, container);
      this.#monitors.remove(container);
      container.execIds.clear();
      container.run?.abort();
      container.run = undefined;
      await releaseNetwork(this.#context, container.id);
      announceMounts(this.#context, container, "unmount");
      container.cleanup = cleanUp(this.#context, container, saved).then(() => finishLog(this.#context, container));
      announce(this.#context, container, "die", {
        exitCode: String(exit.code),
        execDuration: String((finished - started) / 1_000_000_000n),
      });
      if (restarting) this.#scheduleRestart(container);
    }
    await vendorHooks(container);
    container.waits.exited({ code: exit.code });
    if (hostConfig.AutoRemove && !container.restartRequested && !container.removing) await this.#autoRemove(container);
  }

  #scheduleRestart(container: Container): void {
    const delay = container.restartDelay;
    const timer = setTimeout(() => {
      container.restart = undefined;
      void this.#restartNow(container);
    }, delay);
    timer.unref();
    container.restart = { timer, delay };
  }

  /** Brings a container back by its policy: after the delay, or when the daemon starts. */
  async #restartNow(container: Container): Promise<void> {
    using _ = await container.lock.acquire();
    if (this.#closing || container.removing || container.state.status !== "restarting") return;
    try {
      await this.#launch(container);
    } catch (error) {
      this.#context.log.error({ container: container.id, error: errorMessage(error) }, "cannot restart a container");
      this.#startFailed(container, error);
    }
  }

  /** For containers that a daemon finds stopped though their policy wants them up. */
  async startByPolicy(container: Container): Promise<void> {
    {
      using _ = await container.lock.acquire();
      // A client may have been faster.
      if (container.removing || isRunning(container.state)) return;
      container.state.status = "restarting";
      container.state.stoppedByUser = false;
    }
    await this.#restartNow(container);
  }

  #cancelRestart(container: Container): void {
    if (container.restart === undefined) return;
    clearTimeout(container.restart.timer);
    container.restart = undefined;
  }

  /** The caller holds the lock. */
  #stopRestarting(container: Container): void {
    this.#cancelRestart(container);
    container.state.status = "exited";
    container.state.stoppedByUser = true;
    saveState(this.#context, container);
    container.waits.exited({ code: container.state.exitCode });
  }
}
