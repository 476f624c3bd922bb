/** Start, exit, stop, kill, restart: every change of a container's state goes through here, one at a time. */
import { existsSync } from "node:fs";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import type { ExitRecord } from "#engine/runtime/exits.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { formatTime, now, parseTime } from "#lib/time.ts";
import { signalProcess } from "#linux/process.ts";
import type { Container } from "./container.ts";
import { announce, type EngineContext } from "./context.ts";
import { launch, StartFailure } from "./launch.ts";
import { isRunning } from "./record.ts";
import { nextDelay, shouldRestart } from "./restart-policy.ts";
import { removeBundle } from "./rootfs.ts";
import { parseSignal } from "./signals.ts";

const SIGKILL = 9;
const DEFAULT_STOP_TIMEOUT = 10;

export class Lifecycle {
  readonly #context: EngineContext;
  /** Removes a container whose run has ended (`--rm`). */
  readonly #autoRemove: (container: Container) => Promise<void>;
  #closing = false;

  constructor(context: EngineContext, autoRemove: (container: Container) => Promise<void>) {
    this.#context = context;
    this.#autoRemove = autoRemove;
  }

  /** From now on no restart policy starts anything. */
  close(): void {
    this.#closing = true;
    for (const container of this.#context.containers.all()) this.#cancelRestart(container);
  }

  /** Throws "not-modified" where it runs, StartFailure where the runtime refused. */
  async start(container: Container): Promise<void> {
    {
      using _ = await container.lock.acquire();
      if (container.state.status === "paused") {
        throw new EngineError("conflict", "cannot start a paused container, try unpause instead");
      }
      if (isRunning(container.state)) {
        throw new EngineError("not-modified", `container ${container.id} is already running`);
      }
      assertUsable(container);
      this.#cancelRestart(container);
      container.restartDelay = 0;
      container.state.restartCount = 0;
      container.state.stoppedByUser = false;
      try {
        await this.#launch(container);
        return;
      } catch (error) {
        this.#startFailed(container, error);
        if (!container.record.hostConfig.AutoRemove) throw error;
      }
    }
    const error = container.state.error;
    const exitCode = container.state.exitCode;
    await this.#autoRemove(container);
    throw new StartFailure(error, exitCode);
  }

  /** Takes a run that an earlier daemon began under this one's eyes; the caller has seen that the process is alive. */
  adopt(container: Container): void {
    container.run = new AbortController();
    void container.console.open(monitorFiles.attach(this.#context.layout.bundle(container.id)));
    this.#watch(container);
  }

  /** Books an exit that happened while no daemon ran. */
  async exitedMeanwhile(container: Container, exit: ExitRecord): Promise<void> {
    await this.#exited(container, exit);
  }

  /** Sends the stop signal, and SIGKILL after the timeout (seconds; negative never). Throws "not-modified". */
  async stop(container: Container, options: { signal?: string; timeout?: number } = {}): Promise<void> {
    const { config } = container.record;
    if (container.state.status === "restarting") return this.#stopRestarting(container);
    if (!isRunning(container.state)) {
      throw new EngineError("not-modified", `container ${container.id} is already stopped`);
    }
    const signal = parseSignal(options.signal || config.StopSignal || "SIGTERM");
    const timeout = options.timeout ?? config.StopTimeout ?? DEFAULT_STOP_TIMEOUT;
    container.state.stoppedByUser = true;
    this.#context.containers.saveState(container);
    await this.#end(container, signal, timeout);
    announce(this.#context, container, "stop");
  }

  async restart(container: Container, options: { signal?: string; timeout?: number } = {}): Promise<void> {
    if (isRunning(container.state) || container.state.status === "restarting") {
      // `--rm` must not take away what is about to start again.
      container.restartRequested = true;
      try {
        await this.stop(container, options);
      } finally {
        container.restartRequested = false;
      }
    }
    await this.start(container);
    announce(this.#context, container, "restart");
  }

  /** Throws "conflict" where nothing runs. */
  async kill(container: Container, name: string): Promise<void> {
    const signal = parseSignal(name === "" ? "KILL" : name);
    if (container.state.status === "restarting" && signal === SIGKILL) return this.#stopRestarting(container);
    if (!isRunning(container.state)) {
      throw new EngineError(
        "conflict",
        `cannot kill container: ${container.name}: container ${container.id} is not running`,
      );
    }
    const { StopSignal } = container.record.config;
    if (signal === SIGKILL || signal === parseSignal(StopSignal || "SIGTERM")) {
      container.state.stoppedByUser = true;
      this.#context.containers.saveState(container);
    }
    const exit = signal === SIGKILL ? container.waits.next("next-exit") : undefined;
    this.#signal(container, signal);
    announce(this.#context, container, "kill", { signal: String(signal) });
    await exit;
  }

  /** For `rm -f`: gone as fast as the kernel can. */
  async killNow(container: Container): Promise<void> {
    container.state.stoppedByUser = true;
    if (container.state.status === "restarting") return this.#stopRestarting(container);
    if (!isRunning(container.state)) return;
    await this.#end(container, SIGKILL, -1);
  }

  async pause(container: Container): Promise<void> {
    using _ = await container.lock.acquire();
    if (container.state.status === "paused") {
      throw new EngineError("conflict", `Container ${container.name} is already paused`);
    }
    if (container.state.status !== "running") {
      throw new EngineError("conflict", `Container ${container.id} is not running`);
    }
    await this.#context.runtime.pause(container.id);
    container.state.status = "paused";
    this.#context.containers.saveState(container);
    announce(this.#context, container, "pause");
  }

  async unpause(container: Container): Promise<void> {
    using _ = await container.lock.acquire();
    if (container.state.status !== "paused") {
      throw new EngineError("conflict", `Container ${container.id} is not paused`);
    }
    await this.#context.runtime.resume(container.id);
    container.state.status = "running";
    this.#context.containers.saveState(container);
    announce(this.#context, container, "unpause");
  }

  async #launch(container: Container): Promise<void> {
    await container.cleanup;
    const launched = await launch(this.#context, container);
    container.state = {
      ...container.state,
      ...launched,
      status: "running",
      exitCode: 0,
      error: "",
      oomKilled: false,
      startedAt: formatTime(now()),
    };
    this.#context.containers.saveState(container);
    container.run = new AbortController();
    this.#watch(container);
    announce(this.#context, container, "start");
  }

  #startFailed(container: Container, error: unknown): void {
    container.state.exitCode = error instanceof StartFailure ? error.exitCode : 128;
    container.state.error = errorMessage(error);
    container.state.pid = 0;
    if (container.state.status === "restarting") container.state.status = "exited";
    this.#context.containers.saveState(container);
    const status = { code: container.state.exitCode, error: container.state.error };
    container.waits.exited(status, true);
    announce(this.#context, container, "die", { exitCode: String(container.state.exitCode) });
  }

  #watch(container: Container): void {
    this.#context.exits
      .next(container.id)
      .then((exit) => this.#exited(container, exit))
      .catch((error: unknown) => {
        this.#context.log.error({ container: container.id, error: errorMessage(error) }, "cannot book an exit");
      });
  }

  async #exited(container: Container, exit: ExitRecord): Promise<void> {
    const { containers, networks, layout } = this.#context;
    const { hostConfig } = container.record;
    let restarting = false;
    {
      using _ = await container.lock.acquire();
      const started = parseTime(container.state.startedAt) ?? exit.time;
      // A file's time is the kernel's last tick: it may lie before a start of the same moment.
      const finished = exit.time > started ? exit.time : started;
      container.state = {
        ...container.state,
        status: "exited",
        pid: 0,
        pidStartTime: 0,
        exitCode: exit.code,
        oomKilled: existsSync(monitorFiles.outOfMemory(layout.bundle(container.id))),
        finishedAt: formatTime(finished),
      };
      restarting = !this.#closing && !container.removing && shouldRestart(hostConfig.RestartPolicy, container.state);
      if (restarting) {
        container.state.status = "restarting";
        container.state.restartCount++;
        container.restartDelay = nextDelay(container.restartDelay, Number((finished - started) / 1_000_000n));
      }
      containers.saveState(container);
      container.execIds.clear();
      container.run?.abort();
      container.run = undefined;
      await networks.release(container.id);
      container.cleanup = this.#cleanUp(container);
      if (container.state.oomKilled) announce(this.#context, container, "oom");
      announce(this.#context, container, "die", {
        exitCode: String(exit.code),
        execDuration: String((finished - started) / 1_000_000_000n),
      });
      if (restarting) this.#scheduleRestart(container);
    }
    container.waits.exited({ code: exit.code }, !restarting);
    if (hostConfig.AutoRemove && !container.restartRequested && !container.removing) await this.#autoRemove(container);
  }

  /** What a client need not wait for. Never rejects. */
  async #cleanUp(container: Container): Promise<void> {
    const { runtime, exits, log } = this.#context;
    try {
      await container.console.close();
      await runtime.delete(container.id);
      await removeBundle(this.#context, container.id);
      exits.forget(container.id);
    } catch (error) {
      log.error({ container: container.id, error: errorMessage(error) }, "cannot clean up after a container");
    }
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
    container.state.status = "restarting";
    container.state.stoppedByUser = false;
    await this.#restartNow(container);
  }

  #cancelRestart(container: Container): void {
    if (container.restart === undefined) return;
    clearTimeout(container.restart.timer);
    container.restart = undefined;
  }

  async #stopRestarting(container: Container): Promise<void> {
    {
      using _ = await container.lock.acquire();
      if (container.state.status === "restarting") {
        this.#cancelRestart(container);
        container.state.status = "exited";
        container.state.stoppedByUser = true;
        this.#context.containers.saveState(container);
        container.waits.exited({ code: container.state.exitCode }, true);
        return;
      }
    }
    if (isRunning(container.state)) await this.#end(container, SIGKILL, -1);
  }

  /** Settles when the process is gone and the exit is booked. */
  async #end(container: Container, signal: number, timeout: number): Promise<void> {
    const gone = container.waits.next("next-exit");
    if (container.state.status === "paused") await this.#context.runtime.resume(container.id);
    this.#signal(container, signal);
    announce(this.#context, container, "kill", { signal: String(signal) });
    if (signal === SIGKILL || timeout < 0) {
      await gone;
      return;
    }
    const { promise: late, resolve } = Promise.withResolvers<"late">();
    const timer = setTimeout(() => resolve("late"), timeout * 1000);
    const first = await Promise.race([gone, late]);
    clearTimeout(timer);
    if (first !== "late") return;
    this.#signal(container, SIGKILL);
    announce(this.#context, container, "kill", { signal: String(SIGKILL) });
    await gone;
  }

  /** A process that is gone already needs no signal: its exit is on the way. */
  #signal(container: Container, signal: number): void {
    const { pid, pidStartTime } = container.state;
    signalProcess(pid, pidStartTime, signal);
  }
}

function assertUsable(container: Container): void {
  if (!container.removing && container.state.status !== "dead") return;
  throw new EngineError("conflict", "container is marked for removal and cannot be started");
}
