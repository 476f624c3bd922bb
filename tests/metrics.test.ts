/** `--metrics-addr`: what a Prometheus server reads of a daemon. */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}

test("metrics tell of containers, requests, events and health checks in Prometheus' format", async () => {
  const port = freePort();
  await using engine = await startEngine({ arguments: [`--metrics-addr=127.0.0.1:${port}`] });
  const scrape = async (): Promise<Map<string, number>> => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const samples = new Map<string, number>();
    const families = new Set<string>();
    for (const line of (await response.text()).trimEnd().split("\n")) {
      const described = /^# (?:HELP|TYPE) (\w+) \S/.exec(line)?.[1];
      if (described !== undefined) families.add(described);
      else {
        const [, name = "", labels = "", value] =
          /^(\w+?)((?:_bucket|_sum|_count)?(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})?) (\S+)$/.exec(line) ?? [];
        expect(value).toMatch(/^[\d.e+-]+$/);
        expect([...families]).toContain(name);
        samples.set(name + labels, Number(value));
      }
    }
    return samples;
  };
  const before = await scrape();
  expect(before.get('engine_daemon_container_actions_seconds_count{action="start"}')).toBe(0);
  const box = await engine.run(["sleep", "60"], {
    Healthcheck: { Test: ["CMD", "false"], Interval: 20_000_000, Retries: 1 },
  });
  await engine.create(["true"]);
  await until(
    "a check has run",
    async () => ((await scrape()).get("engine_daemon_health_checks_failed_total") ?? 0) > 0,
  );
  const after = await scrape();
  const states = ["running", "paused", "stopped"].map((state) =>
    after.get(`engine_daemon_container_states_containers{state="${state}"}`),
  );
  expect(states).toEqual([1, 0, 1]);
  expect(after.get('engine_daemon_container_actions_seconds_count{action="create"}')).toBe(2);
  expect(after.get('engine_daemon_container_actions_seconds_bucket{action="start",le="+Inf"}')).toBe(1);
  expect(after.get('engine_daemon_container_actions_seconds_sum{action="start"}')).toBeGreaterThan(0);
  expect(after.get('berth_api_requests_total{method="POST",group="containers",code="201"}')).toBe(2);
  expect(after.get("berth_images")).toBe(1);
  expect(after.get("engine_daemon_events_total")).toBeGreaterThan(before.get("engine_daemon_events_total") ?? 0);
  expect(after.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
  await box.kill();
  expect((await fetch(`http://127.0.0.1:${port}/containers/json`)).status).toBe(404);
  for (let at = 0; at < 3; at++) await engine.wire.send("GET", `/nonsense-${at}`).then((answer) => answer.bytes());
  expect((await scrape()).get('berth_api_requests_total{method="GET",group="other",code="404"}')).toBe(3);
});
