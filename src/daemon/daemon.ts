/** `berth daemon`: wires the engine to its sockets and sees to a clean start and stop. */
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import pino from "pino";
import { Engine, engineSchemas } from "#engine/engine.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { HttpServer } from "#lib/http/server.ts";
import type { Logger } from "#lib/log.ts";
import { LONGEST_TIMER } from "#lib/time.ts";
import { Router } from "#lib/http/router.ts";
import { duplicateFd } from "#linux/descriptor.ts";
import { closeSockets, inheritedSockets } from "#linux/listening.ts";
import { ServiceManager } from "#linux/notify.ts";
import { openDatabase } from "#store/database.ts";
import { Layout } from "#store/layout.ts";
import { Api, type ApiRouter } from "./api.ts";
import { type Configuration, readConfiguration, usage } from "./configuration.ts";
import { engineId } from "./engine-id.ts";
import { networkOptionsOf, seccompProfileOf, tuningOf } from "./engine-options.ts";
import { Housekeeping } from "./housekeeping.ts";
import { listen } from "./listen.ts";
import { LiveConfiguration, reloadable } from "./live-configuration.ts";
import type { MetricsListener, MetricsSource } from "./metrics/metrics.ts";
import { NetworkAdapter } from "./network-adapter.ts";
import { applyProxies } from "./proxies.ts";
import { lockRoot, writePidfile } from "./roots.ts";
import { addContainerRoutes } from "./routes/containers.ts";
import { addExecRoutes } from "./routes/exec.ts";
import { addImageRoutes } from "./routes/images.ts";
import { addNetworkRoutes } from "./routes/networks.ts";
import { addSystemRoutes } from "./routes/system.ts";
import { addUnsupportedRoutes } from "./routes/unsupported.ts";
import { addVolumeCareRoutes } from "./routes/volume-care.ts";
import { addVolumeRoutes } from "./routes/volumes.ts";
import { type ShutdownTimes, shutdownTimes } from "./shutdown.ts";
import { Signals } from "./signals.ts";
import { SystemService } from "./system.ts";
import { readTls } from "./tls.ts";
import { programVersion as version } from "#lib/build.ts";

/** How long requests under way may take to finish when the daemon stops, in milliseconds. */
const GRACE = 500;

/** Runs in the foreground until SIGTERM or SIGINT. Resolves to the exit code. */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  try {
    const configuration = readConfiguration(argv);
    if (configuration === "help") {
      process.stdout.write(usage);
      return 0;
    }
    if (configuration === "valid") {
      process.stdout.write("configuration OK\n");
      return 0;
    }
    await serve(configuration, argv);
    return 0;
  } catch (error) {
    process.stderr.write(`berth daemon: ${errorMessage(error)}\n`);
    return 1;
  }
}

async function serve(configuration: Configuration, argv: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new EngineError("forbidden", "the daemon needs root: start it as root or with sudo");
  const log = pino({ level: configuration["log-level"], base: null }, pino.destination({ fd: 2, sync: true }));
  applyProxies(configuration, process.env);
  const live = new LiveConfiguration(argv, configuration, log);
  const signals = new Signals();
  const tls = await readTls(configuration);
  const manager = new ServiceManager(process.env);
  const inherited = new Set(inheritedSockets(process.env, process.pid));
  const layout = new Layout(configuration["data-root"], configuration["exec-root"]);
  await using undo = new AsyncDisposableStack();
  mkdirSync(layout.dataRoot, { recursive: true, mode: 0o711 });
  mkdirSync(layout.execRoot, { recursive: true, mode: 0o711 });
  undo.use(lockRoot(layout.lockFile, "data root", layout.dataRoot));
  undo.use(lockRoot(layout.execLockFile, "exec root", layout.execRoot));
  if (configuration.pidfile !== "") undo.use(writePidfile(configuration.pidfile));

  const seccompProfile = seccompProfileOf(configuration);
  const db = openDatabase(layout.database, engineSchemas);
  undo.defer(() => db.close());
  const engine = Engine.open({
    db,
    layout,
    log,
    conmon: live.programs.conmon,
    limits: { maxBytes: configuration["max-layer-size"] },
    network: networkOptionsOf(configuration, engineId(layout)),
    ...(seccompProfile !== undefined && { seccompProfile }),
    users: { remap: configuration["userns-remap"], pool: configuration["userns-pool"] },
    tuning: tuningOf(configuration, live.programs),
  });
  undo.defer(() => engine.close({ stop: live.current["stop-containers"] }));
  await engine.recover();

  const system = new SystemService(engine, live, layout);
  const router: ApiRouter = new Router();
  addContainerRoutes(router, engine.containers, engine.host.cgroup.mode === "v2");
  addExecRoutes(router, engine.execs);
  addImageRoutes(router, engine.images);
  addNetworkRoutes(router, new NetworkAdapter(engine));
  addVolumeRoutes(router, engine.volumes);
  addVolumeCareRoutes(router, engine.volumeCare);
  addSystemRoutes(router, system);
  const housekeeping = undo.use(new Housekeeping(engine.containers));
  addUnsupportedRoutes(router);
  const metrics = await startMetrics(configuration["metrics-addr"], {
    engine,
    id: engineId(layout),
    dataRoot: layout.dataRoot,
  });
  undo.use(metrics);
  const api = new Api(router, {
    log,
    product: `Berth/${version} (linux)`,
    dataRoot: layout.dataRoot,
    onActivity: () => housekeeping.touch(),
    ...(metrics && { observe: (request) => metrics.observe(request) }),
  });
  const server = new HttpServer((request, response) => api.handle(request, response));
  undo.defer(() => server.close(GRACE, Math.min(times().transfers * 1000, LONGEST_TIMER)));
  const times = (): ShutdownTimes => shutdownTimes(live.current, engine.containers.slowestStop());
  signals.onReload(async () => {
    manager.reloading();
    await live.reload(async (changed, programs) => {
      const renewed = await readTls(changed);
      if (renewed !== undefined) server.renew(renewed, duplicateFd);
      engine.tune(tuningOf(changed, programs));
      log.level = changed["log-level"];
      engine.events.emit("daemon", "reload", engineId(layout), { name: hostname(), ...reloadable(changed) });
    });
    manager.ready();
  });
  for (const host of configuration.hosts) {
    undo.use(await listen(server, host, { group: configuration.group, tls, inherited, log }));
  }
  closeSockets(inherited);
  process.stderr.write(`berth daemon listening on ${configuration.hosts.join(", ")}\n`);
  for (const warning of engine.networks.forwardWarnings()) log.warn({}, warning);
  await engine.containers.startByPolicy();
  housekeeping.started();
  manager.ready();
  await signals.stopped;
  manager.stopping();
  const { all } = times();
  if (all * 1000 < LONGEST_TIMER) setTimeout(() => giveUp(log, all), all * 1000);
  log.info({ stopContainers: live.current["stop-containers"] }, "stopping");
}

/** Loads what serves metrics only where they are asked for: the others need not have it in memory. */
async function startMetrics(
  address: string,
  source: MetricsSource,
): Promise<(MetricsListener & Disposable) | undefined> {
  if (address === "") return undefined;
  const { serveMetrics } = await import("./metrics/metrics.ts");
  return serveMetrics(source, address);
}

/** Nothing is lost by that: the next start mends what is half done. */
function giveUp(log: Logger, seconds: number): never {
  log.error({ seconds }, "the daemon could not end in time: it ends as it is");
  process.exit(1);
}
