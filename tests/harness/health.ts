/** Looks at the health of containers. */
import type { Health } from "#api/types/container.ts";
import type { Box } from "./box.ts";
import type { Engine } from "./engine.ts";
import { until } from "./process.ts";

const MILLISECONDS = 1e6;

/** A check that looks for the file /healthy, every 100 ms unless `times` (nanoseconds) say otherwise. */
export function fileCheck(times: object = {}) {
  const Test = ["CMD-SHELL", "echo looked; test -f /healthy"];
  return { Healthcheck: { Test, Interval: 100 * MILLISECONDS, Retries: 2, ...times } };
}

export async function health(box: Box): Promise<Health> {
  const { State } = await box.inspect();
  if (State.Health === undefined) throw new Error(`${box.id} has no health`);
  return State.Health;
}

export async function becomes(box: Box, status: Health["Status"]): Promise<Health> {
  return await until(`it is ${status}`, async () => {
    const now = await health(box);
    return now.Status === status && now;
  });
}

/** The actions of a container that the history tells of, oldest first. */
export async function story(engine: Engine, box: Box): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ container: [box.id] }));
  const text = new TextDecoder().decode(
    await engine.wire.bytes("GET", `/events?since=1&until=${Date.now() / 1000}&filters=${filters}`),
  );
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { Action: string; Type: string })
    .filter(({ Type }) => Type === "container")
    .map(({ Action }) => Action);
}
