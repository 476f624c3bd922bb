/** What the daemon does when it is told to stop or to read its configuration again. */

/** Listens from its construction on: a signal that comes during the start is kept for later. */
export class Signals {
  /** Settles at the first SIGTERM or SIGINT. */
  readonly stopped: Promise<void>;
  #reload: (() => Promise<void>) | undefined;
  #missed = false;
  #reloading: Promise<void> = Promise.resolve();

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = promise;
    let asked = false;
    const stop = (): void => {
      // A second signal ends the program on the spot: nothing is lost by that, the next start mends it.
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    process.on("SIGHUP", () => this.#hangup());
    process.on("SIGPIPE", () => {});
  }

  /** `reload` runs at each SIGHUP, and at once where one came before; never twice at a time. It never rejects. */
  onReload(reload: () => Promise<void>): void {
    this.#reload = reload;
    if (this.#missed) this.#hangup();
  }

  #hangup(): void {
    const reload = this.#reload;
    if (reload === undefined) this.#missed = true;
    else this.#reloading = this.#reloading.then(reload);
  }
}
