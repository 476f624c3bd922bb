/** Progress records in Docker's words, and how work that reports them becomes a stream. */
import type { ProgressMessage } from "#api/types/image.ts";
import type { Progress } from "./types.ts";

/**
 * Runs `work` while its records are read. Ends when it ends, rejects as it rejects; a reader who leaves aborts the
 * signal that `work` gets, and is not kept waiting by it.
 */
export async function* streamProgress(
  signal: AbortSignal,
  work: (progress: Progress, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<ProgressMessage, void, undefined> {
  const left = new AbortController();
  const queue: ProgressMessage[] = [];
  let wake = Promise.withResolvers<void>();
  let state: { done: boolean; failure?: unknown } = { done: false };
  const push: Progress = (message) => {
    queue.push(message);
    wake.resolve();
  };
  const finish = (outcome: typeof state): void => {
    state = outcome;
    wake.resolve();
  };
  void work(push, AbortSignal.any([signal, left.signal])).then(
    () => finish({ done: true }),
    (failure: unknown) => finish({ done: true, failure }),
  );
  try {
    for (;;) {
      yield* queue.splice(0);
      if (queue.length > 0) continue;
      if (state.done) {
        if ("failure" in state) throw state.failure;
        return;
      }
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    left.abort();
  }
}

/** A record about one layer; with `current` it carries Docker's ready-made bar too, which old clients print. */
export function layerProgress(id: string, status: string, current?: number, total?: number): ProgressMessage {
  if (current === undefined) return { status, progressDetail: {}, id };
  const detail = { current, ...(total !== undefined && { total }) };
  return { status, progressDetail: detail, progress: bar(current, total ?? 0), id };
}

/** `[=====>    ]  1.2MB/3.4MB`, fifty columns of it. */
function bar(current: number, total: number): string {
  if (total <= 0 || current > total) return humanSize(current).padStart(8);
  const done = Math.floor((current / total) * 50);
  const line = `${"=".repeat(done)}${done < 50 ? ">" : ""}`.padEnd(50);
  return `[${line}]  ${humanSize(current).padStart(8)}/${humanSize(total)}`;
}

function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit] ?? ""}`;
}

/** Lets at most one call in `interval` milliseconds through, so that a fast download does not flood its reader. */
export function throttle(interval: number, report: (current: number) => void): (current: number) => void {
  let next = 0;
  return (current) => {
    const time = performance.now();
    if (time < next) return;
    next = time + interval;
    report(current);
  };
}
