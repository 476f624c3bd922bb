/** Waits for a container's end in a way that misses none. */
import type { WaitCondition, WaitResponse } from "#api/types/container.ts";
import type { Connection } from "../connection.ts";

/**
 * Resolves, once the daemon watches, with the promise of the answer: start the container only then. Wrapped in an
 * object, since a promise of a promise would wait for both.
 */
export async function awaitExit(
  daemon: Connection,
  id: string,
  condition: WaitCondition,
): Promise<{ readonly exit: Promise<WaitResponse> }> {
  const response = await daemon.send("POST", `/containers/${id}/wait`, { query: { condition } });
  const exit = response.json() as Promise<WaitResponse>;
  // The caller may fail before it looks.
  exit.catch(() => undefined);
  return { exit };
}

/** The container's exit code; rejects with the daemon's word when it could not be had. */
export function exitStatus({ StatusCode, Error: failure }: WaitResponse): number {
  if (failure?.Message) throw new Error(`Error waiting for container: ${failure.Message}`);
  return StatusCode;
}
