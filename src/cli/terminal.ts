/** The terminal of an interactive command: raw mode, size, and the way back. */
import { constants } from "node:os";
import { WriteStream } from "node:tty";

export interface Size {
  readonly height: number;
  readonly width: number;
}

/** Every byte as it is typed and as it is written: cfmakeraw. */
const rawModes = ["raw", "-echo", "-echonl", "-iexten", "cs8", "-parenb"];

/** Signals that would end us and leave the terminal raw. */
const deadly = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

/**
 * Makes the terminal on stdin raw until disposed, or until this process ends by itself or by a signal that nobody
 * else listens to. Throws where stdin is no terminal.
 *
 * By stty, since Node's raw mode goes on turning line feeds into CR LF, which garbles programs that move the cursor.
 */
export function rawTerminal(): Disposable {
  const saved = stty("-g");
  using undo = new DisposableStack();
  const restore = () => void stty(saved);
  undo.defer(restore);
  process.on("exit", restore);
  undo.defer(() => process.off("exit", restore));
  for (const signal of deadly) {
    if (process.listenerCount(signal) > 0) continue;
    const end = () => process.exit(128 + constants.signals[signal]);
    process.on(signal, end);
    undo.defer(() => process.off(signal, end));
  }
  stty(...rawModes);
  return undo.move();
}

function stty(...words: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["stty", ...words], { stdin: "inherit" });
  if (exitCode !== 0) throw new Error(`cannot set the terminal: ${stderr.toString().trim()}`);
  return stdout.toString().trim();
}

/** The size of the terminal behind an output as it is now; undefined where it has none. */
export function terminalSize(fd: number): Size | undefined {
  // A new stream for each look: one that stays keeps the size that it had first.
  const [width, height] = new WriteStream(fd).getWindowSize();
  return width && height ? { height, width } : undefined;
}
