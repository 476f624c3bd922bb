/** A container's log: kept within bounds while it is written, and read. */
import type { ContainerLogsQuery } from "#api/types/query.ts";
import { readLog } from "#engine/log/reader.ts";
import { monitorFiles } from "#engine/runtime/conmon.ts";
import { tellReopenLog } from "#engine/runtime/control.ts";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { logBounds, logDetails } from "./log-options.ts";
import { isRunning } from "./record.ts";

/** From now on a monitor writes it; the file is there. */
export function watchLog({ logs, layout }: EngineContext, { id, record }: Container): void {
  const bounds = logBounds(record.hostConfig.LogConfig);
  if (bounds === undefined || bounds.maxSize === Infinity) return;
  const control = monitorFiles.control(layout.bundle(id));
  logs.watch(id, { path: layout.containerLog(id), bounds, reopen: () => reopen(control) });
}

/** No monitor writes it any more. Settles when it is in bounds; never rejects. */
export async function finishLog({ logs, layout }: EngineContext, { id, record }: Container): Promise<void> {
  const bounds = logBounds(record.hostConfig.LogConfig);
  if (bounds !== undefined) await logs.finish(id, layout.containerLog(id), bounds);
}

/** A monitor that has just gone is none that can be told. */
function reopen(control: string): boolean {
  try {
    return tellReopenLog(control);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENXIO", "ENOENT"].includes(code)) return false;
    throw error;
  }
}

/** In wire form. Throws "invalid", "conflict" and "not-implemented" in Docker's words. */
export function readContainerLog(
  { layout, changes }: EngineContext,
  { id, record, state, run, removing }: Container,
  query: ContainerLogsQuery,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const { config, hostConfig } = record;
  if (removing || state.status === "dead") {
    throw new EngineError("conflict", "can not get logs from container which is dead or marked for removal");
  }
  if (logBounds(hostConfig.LogConfig) === undefined) {
    throw new EngineError("not-implemented", "configured logging driver does not support reading");
  }
  return readLog(
    layout.containerLog(id),
    {
      stdout: query.stdout,
      stderr: query.stderr,
      tty: config.Tty,
      scratch: layout.temporary,
      timestamps: query.timestamps,
      follow: query.follow && isRunning(state),
      stopped: run?.signal ?? AbortSignal.abort(),
      ...(query.details && { details: logDetails(record) }),
      ...(query.tail !== undefined && { tail: query.tail }),
      ...(query.since !== undefined && { since: query.since }),
      ...(query.until !== undefined && { until: query.until }),
    },
    changes,
    signal,
  );
}
