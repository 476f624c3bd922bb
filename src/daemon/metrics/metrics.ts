/** What `--metrics-addr` tells: Docker's families where it has them, and some of our own. Loaded only where asked for. */
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, release, totalmem } from "node:os";
import type { Engine } from "#engine/engine.ts";
import { programCommit, programVersion } from "#lib/build.ts";
import { EngineError } from "#lib/errors.ts";
import { HttpServer } from "#lib/http/server.ts";
import { type Observed, splitVersion } from "../api.ts";
import { openDescriptors, osRelease } from "../host-information.ts";
import { hostArchitecture } from "../query.ts";
import { Counter, family, Histogram } from "./exposition.ts";

export interface MetricsSource {
  readonly engine: Engine;
  /** Of the data root. */
  readonly id: string;
  readonly dataRoot: string;
}

/** Which request is which of Docker's container actions. */
const ACTIONS: readonly (readonly [action: string, method: string, path: RegExp])[] = [
  ["changes", "GET", /^\/containers\/[^/]+\/changes$/],
  ["commit", "POST", /^\/commit$/],
  ["create", "POST", /^\/containers\/create$/],
  ["delete", "DELETE", /^\/containers\/[^/]+$/],
  ["start", "POST", /^\/containers\/[^/]+\/start$/],
];

class Metrics {
  readonly #source: MetricsSource;
  readonly #actions = new Histogram(
    "action",
    ACTIONS.map(([action]) => action),
  );
  readonly #requests = new Counter();

  constructor(source: MetricsSource) {
    this.#source = source;
  }

  /** A request has been answered. */
  observe({ method, path, status, milliseconds }: Observed): void {
    const { path: plain } = splitVersion(path);
    const [, group = ""] = plain.split("/", 2);
    // Whatever else somebody asks for must not become a label.
    const known = status !== 404 || GROUPS.has(group);
    this.#requests.add({
      method: METHODS.has(method) ? method : "other",
      group: known ? group : "other",
      code: String(status),
    });
    if (status >= 400) return;
    const action = ACTIONS.find(([, verb, pattern]) => verb === method && pattern.test(plain));
    if (action !== undefined) this.#actions.observe(action[0], milliseconds / 1000);
  }

  text(): string {
    const { engine, id, dataRoot } = this.#source;
    const { containers, events, images, networks, volumes } = engine;
    const { running, paused, stopped } = containers.counts();
    const { bsize, blocks, bavail } = statfsSync(dataRoot);
    const { checks, failed } = containers.healthChecks;
    const listed = images.list({ all: true, digests: false, sharedSize: false, manifests: false, filters: {} });
    const gauge = (name: string, help: string, value: number): string => family(name, "gauge", help, [{ value }]);
    const counter = (name: string, help: string, value: number): string => family(name, "counter", help, [{ value }]);
    const info = {
      architecture: hostArchitecture(),
      commit: programCommit,
      daemon_id: id,
      graphdriver: "overlay2",
      kernel: release(),
      os: osRelease("PRETTY_NAME") ?? "Linux",
      os_type: "linux",
      os_version: osRelease("VERSION_ID") ?? "",
      version: programVersion,
    };
    return [
      family(
        "engine_daemon_container_actions_seconds",
        "histogram",
        "The number of seconds it takes to process each container action",
        this.#actions.samples,
      ),
      family("engine_daemon_container_states_containers", "gauge", "The count of containers in various states", [
        { labels: { state: "paused" }, value: paused },
        { labels: { state: "running" }, value: running },
        { labels: { state: "stopped" }, value: stopped },
      ]),
      gauge(
        "engine_daemon_engine_cpus_cpus",
        "The number of cpus that the host system of the engine has",
        availableParallelism(),
      ),
      family(
        "engine_daemon_engine_info",
        "gauge",
        "The information related to the engine and the OS it is running on",
        [{ labels: info, value: 1 }],
      ),
      gauge(
        "engine_daemon_engine_memory_bytes",
        "The number of bytes of memory that the host system of the engine has",
        totalmem(),
      ),
      gauge("engine_daemon_events_subscribers_total", "The number of current subscribers to events", events.listeners),
      counter("engine_daemon_events_total", "The number of events logged", events.total),
      counter("engine_daemon_health_checks_failed_total", "The total number of failed health checks", failed),
      counter("engine_daemon_health_checks_total", "The total number of health checks", checks),
      family("berth_api_requests_total", "counter", "Requests that were answered", this.#requests.samples),
      gauge("berth_images", "Images in the store", listed.length),
      gauge("berth_networks", "Networks, the predefined ones too", networks.list({}).length),
      gauge("berth_volumes", "Volumes", volumes.list().length),
      gauge("berth_data_root_free_bytes", "Room that is left for images and containers", bavail * bsize),
      gauge("berth_data_root_size_bytes", "Size of the file system of the data root", blocks * bsize),
      ...processFamilies(),
    ].join("");
  }
}

const METHODS: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "POST", "PUT"]);
const GROUPS: ReadonlySet<string> = new Set(["containers", "exec", "images", "networks", "volumes"]);

/** As every Prometheus client names them. */
function processFamilies(): string[] {
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  const one = (name: string, help: string, value: number, type: "gauge" | "counter" = "gauge"): string =>
    family(name, type, help, [{ value }]);
  return [
    one(
      "process_cpu_seconds_total",
      "Total user and system CPU time spent in seconds.",
      (user + system) / 1e6,
      "counter",
    ),
    ...(limit === undefined ? [] : [one("process_max_fds", "Maximum number of open file descriptors.", Number(limit))]),
    one("process_open_fds", "Number of open file descriptors.", openDescriptors()),
    one("process_resident_memory_bytes", "Resident memory size in bytes.", rss),
    one(
      "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      Math.round(performance.timeOrigin) / 1000,
    ),
  ];
}

/** Hears of every request. */
export type MetricsListener = Pick<Metrics, "observe">;

/** Serves `GET /metrics` at `address` (`127.0.0.1:9323`). Throws kind "invalid" for an address that cannot be. */
export function serveMetrics(source: MetricsSource, address: string): MetricsListener & Disposable {
  const match = /^(?:tcp:\/\/)?(\[[0-9a-f:]+\]|[^:/[\]]*):(\d+)$/i.exec(address);
  if (match === null) throw new EngineError("invalid", `invalid metrics-addr ${address}: it must be ADDRESS:PORT`);
  const metrics = new Metrics(source);
  const server = new HttpServer((request, response) => {
    const found = request.path === "/metrics" && (request.method === "GET" || request.method === "HEAD");
    if (!found) return response.send(404, "404 page not found\n", "text/plain; charset=utf-8");
    response.send(200, metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
  });
  server.listenTcp((match[1] || "0.0.0.0").replace(/^\[|\]$/g, ""), Number(match[2]));
  return { observe: (request) => metrics.observe(request), [Symbol.dispose]: () => void server.close(0) };
}
