/** Who waits for a container to stop or to go, and tells them. */
import type { WaitCondition } from "#api/types/container.ts";

export interface ExitStatus {
  code: number;
  error?: string;
}

interface Waiter {
  condition: WaitCondition;
  resolve: (status: ExitStatus) => void;
}

export class Waits {
  readonly #waiters = new Set<Waiter>();

  /** Settles at the next moment `condition` becomes true; forgotten when `signal` is aborted. */
  next(condition: WaitCondition, signal?: AbortSignal): Promise<ExitStatus> {
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    const waiter: Waiter = { condition, resolve };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", () => this.#waiters.delete(waiter), { once: true });
    return promise;
  }

  /** The container's process ended; as with Docker also where a restart policy is about to start it again. */
  exited(status: ExitStatus): void {
    this.#settle(status, (condition) => condition !== "removed");
  }

  removed(status: ExitStatus): void {
    this.#settle(status, () => true);
  }

  #settle(status: ExitStatus, due: (condition: WaitCondition) => boolean): void {
    for (const waiter of this.#waiters) {
      if (!due(waiter.condition)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(status);
    }
  }
}
