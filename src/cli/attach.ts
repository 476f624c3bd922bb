/** Joins a hijacked stream with our stdin, stdout and stderr until it ends. */
import type { Connection } from "./connection.ts";
import { demultiplex } from "./demux.ts";
import { DetachWatch, parseDetachKeys } from "./detach-keys.ts";
import type { Hijacked } from "./hijacked.ts";
import type { Session } from "./session.ts";

export interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  /** As the user wrote them; empty is the default. */
  readonly detachKeys: string;
}

/** How the stream ended: from the daemon's side, or because the detach keys were typed. */
export type Ending = "ended" | "detached";

/**
 * Copies until the daemon ends the stream or the detach keys are typed. With a tty the terminal is raw meanwhile.
 * Our stdin's end is passed on while output goes on. Closes `stream`.
 */
export async function pump(
  session: Session,
  stream: Hijacked,
  { stdin, stdout, stderr, tty, detachKeys }: Streams,
): Promise<Ending> {
  using cleanup = new DisposableStack();
  cleanup.defer(() => stream.close());
  const detached = Promise.withResolvers<Ending>();
  if (stdin) {
    if (tty && session.interactive) {
      const { rawTerminal } = await import("./terminal.ts");
      cleanup.use(rawTerminal());
    }
    const input = new AbortController();
    cleanup.defer(() => input.abort());
    const watch = tty ? new DetachWatch(parseDetachKeys(detachKeys)) : undefined;
    void feed(stream, input.signal, watch, () => detached.resolve("detached"));
  }
  const ignore = () => undefined;
  const out = stdout ? (data: Uint8Array) => session.out.write(data) : ignore;
  const err = stderr ? (data: Uint8Array) => session.err.write(data) : ignore;
  stream.receive(tty ? (stdout ? out : err) : demultiplex(out, err));
  // Awaited here: the clean-up must not come before the end.
  return await Promise.race([stream.closed.then((): Ending => "ended"), detached.promise]);
}

async function feed(
  stream: Hijacked,
  signal: AbortSignal,
  watch: DetachWatch | undefined,
  detach: () => void,
): Promise<void> {
  try {
    for await (const chunk of Bun.stdin.stream()) {
      if (signal.aborted) return;
      const { pass, detached } = watch?.scan(chunk) ?? { pass: chunk, detached: false };
      await stream.write(pass);
      if (detached) return detach();
    }
  } catch {
    // Stdin was closed under us: the container sees its end all the same.
  }
  if (!signal.aborted) stream.closeWrite();
}

/** What a terminal or a supervisor sends; SIGWINCH is not among them, it becomes a resize. */
const proxied = [
  "HUP",
  "INT",
  "QUIT",
  "ABRT",
  "USR1",
  "USR2",
  "ALRM",
  "TERM",
  "CONT",
  "TSTP",
  "TTIN",
  "TTOU",
  "XCPU",
  "XFSZ",
  "VTALRM",
  "IO",
  "PWR",
];

/** Passes the signals that we get on to the container until disposed. */
export function proxySignals(daemon: Connection, id: string): Disposable {
  using handlers = new DisposableStack();
  for (const signal of proxied) {
    const pass = () => void daemon.send("POST", `/containers/${id}/kill`, { query: { signal } }).catch(() => undefined);
    process.on(`SIG${signal}`, pass);
    handlers.defer(() => process.off(`SIG${signal}`, pass));
  }
  return handlers.move();
}

/** Keeps the container's (or exec's) terminal as large as ours until disposed. `path` is its `/resize`. */
export async function followSize(daemon: Connection, path: string): Promise<Disposable> {
  const { terminalSize } = await import("./terminal.ts");
  const resize = async (): Promise<boolean> => {
    const size = terminalSize(1);
    if (!size) return true;
    return daemon.send("POST", path, { query: { h: size.height, w: size.width } }).then(
      () => true,
      () => false,
    );
  };
  const changed = () => void resize();
  process.on("SIGWINCH", changed);
  void firstResize(resize);
  return { [Symbol.dispose]: () => void process.off("SIGWINCH", changed) };
}

/** The process may not have its terminal yet when the first size goes out. */
async function firstResize(resize: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    if (await resize()) return;
    await Bun.sleep(10 * (attempt + 1));
  }
}
