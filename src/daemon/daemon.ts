/** `berth daemon`: wires the engine to its sockets and sees to a clean start and stop. */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import pino from "pino";
import { Engine, engineSchemas } from "#engine/engine.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { HttpServer } from "#lib/http/server.ts";
import { Router } from "#lib/http/router.ts";
import type { Logger } from "#lib/log.ts";
import { lockFile } from "#linux/files.ts";
import { openDatabase } from "#store/database.ts";
import { Layout } from "#store/layout.ts";
import { Api, type ApiRouter } from "./api.ts";
import { type Configuration, readConfiguration, usage } from "./configuration.ts";
import { NetworkAdapter } from "./network-adapter.ts";
import { Housekeeping } from "./housekeeping.ts";
import { findPrograms } from "./prerequisites.ts";
import { addContainerRoutes } from "./routes/containers.ts";
import { addExecRoutes } from "./routes/exec.ts";
import { addImageRoutes } from "./routes/images.ts";
import { addNetworkRoutes } from "./routes/networks.ts";
import { addSystemRoutes } from "./routes/system.ts";
import { addUnsupportedRoutes } from "./routes/unsupported.ts";
import { addVolumeRoutes } from "./routes/volumes.ts";
import { SystemService } from "./system.ts";
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
    await serve(configuration);
    return 0;
  } catch (error) {
    process.stderr.write(`berth daemon: ${errorMessage(error)}\n`);
    return 1;
  }
}

async function serve(configuration: Configuration): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new EngineError("forbidden", "the daemon needs root: start it as root or with sudo");
  const log: Logger = pino({ level: configuration.logLevel, base: null }, pino.destination({ fd: 2, sync: true }));
  const programs = findPrograms(configuration.runtime, configuration.runtimes);
  const layout = new Layout(configuration.dataRoot, configuration.execRoot);
  await using undo = new AsyncDisposableStack();
  mkdirSync(layout.dataRoot, { recursive: true, mode: 0o711 });
  mkdirSync(layout.execRoot, { recursive: true, mode: 0o711 });
  undo.use(lockRoot(layout.lockFile, "data root", layout.dataRoot));
  undo.use(lockRoot(layout.execLockFile, "exec root", layout.execRoot));
  if (configuration.pidfile !== undefined) undo.use(writePidfile(configuration.pidfile));

  const db = openDatabase(layout.database, engineSchemas);
  undo.defer(() => db.close());
  const engine = Engine.open({
    db,
    layout,
    log,
    ...programs,
    limits: { maxBytes: configuration.maxLayerSize },
    startTimeout: configuration.startTimeout,
    network: {
      ...(configuration.bip !== undefined && { bip: configuration.bip }),
      ...(configuration.bridge !== undefined && { bridge: configuration.bridge }),
      ...(configuration.dns.length > 0 && { dns: configuration.dns }),
      ...(configuration.dnsSearch.length > 0 && { dnsSearch: configuration.dnsSearch }),
      ...(configuration.dnsOptions.length > 0 && { dnsOptions: configuration.dnsOptions }),
    },
    registry: {
      userAgent: `berth/${version}`,
      mirrors: configuration.registryMirrors,
      insecureRegistries: configuration.insecureRegistries,
    },
  });
  undo.defer(() => engine.close({ stop: configuration.stopContainers }));
  await engine.recover();

  const router: ApiRouter = new Router();
  addContainerRoutes(router, engine.containers, engine.host.cgroup.mode === "v2");
  addExecRoutes(router, engine.execs);
  addImageRoutes(router, engine.images);
  addNetworkRoutes(router, new NetworkAdapter(engine));
  addVolumeRoutes(router, engine.volumes);
  addSystemRoutes(router, new SystemService(engine, configuration, layout, programs));
  const housekeeping = undo.use(new Housekeeping());
  addUnsupportedRoutes(router);
  const api = new Api(router, log, `Berth/${version} (linux)`, () => housekeeping.touch(), layout.dataRoot);
  const server = new HttpServer((request, response) => api.handle(request, response));
  undo.defer(() => server.close(GRACE));
  const stopped = Promise.withResolvers<void>();
  watchSignals(stopped.resolve);
  for (const host of configuration.hosts) undo.use(await listen(server, host, configuration.group, log));
  process.stderr.write(`berth daemon listening on ${configuration.hosts.join(", ")}\n`);
  for (const warning of engine.networks.forwardWarnings()) log.warn({}, warning);
  await engine.containers.startByPolicy();
  housekeeping.started();
  await stopped.promise;
  log.info({ stopContainers: configuration.stopContainers }, "stopping");
}

/** A second signal ends the program on the spot: nothing is lost by that, the next start mends it. */
function watchSignals(stop: () => void): void {
  let asked = false;
  const handle = (): void => {
    if (asked) process.exit(1);
    asked = true;
    stop();
  };
  process.on("SIGTERM", handle);
  process.on("SIGINT", handle);
  process.on("SIGPIPE", () => {});
}

function lockRoot(path: string, what: "data root" | "exec root", root: string): Disposable {
  try {
    return lockFile(path);
  } catch (cause) {
    if (!(cause instanceof EngineError) || cause.kind !== "conflict") throw cause;
    throw new EngineError(
      "conflict",
      `another daemon uses the ${what} ${root}: stop it, or choose another --${what.replace(" ", "-")}`,
      { cause },
    );
  }
}

function writePidfile(path: string): Disposable {
  let other: string | undefined;
  try {
    other = readFileSync(path, "utf8").trim();
  } catch {
    // There is none yet.
  }
  if (other !== undefined && /^\d+$/.test(other) && Number(other) !== process.pid && isDaemon(other)) {
    throw new EngineError("conflict", `process with PID ${other} is still running: it wrote ${path}`);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, String(process.pid), { mode: 0o644 });
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** The process may be any program by now: only a daemon counts. */
function isDaemon(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0").includes("daemon");
  } catch {
    return false;
  }
}

async function listen(server: HttpServer, host: string, group: string, log: Logger): Promise<Disposable> {
  const unix = /^unix:\/\/(\/.*)$/.exec(host)?.[1];
  if (unix !== undefined) {
    mkdirSync(dirname(unix), { recursive: true, mode: 0o711 });
    await removeStaleSocket(unix);
    const before = process.umask(0o177);
    try {
      server.listenUnix(unix);
    } finally {
      process.umask(before);
    }
    const gid = groupId(group);
    if (gid !== undefined) {
      chownSync(unix, 0, gid);
      chmodSync(unix, 0o660);
    }
    return { [Symbol.dispose]: () => rmSync(unix, { force: true }) };
  }
  const tcp = /^tcp:\/\/(\[[0-9a-f:]+\]|[^:/]*):(\d+)$/i.exec(host);
  if (tcp === null) {
    throw new EngineError("invalid", `invalid host ${host}: it must be unix://PATH or tcp://ADDRESS:PORT`);
  }
  const address = (tcp[1] || "127.0.0.1").replace(/^\[|\]$/g, "");
  if (!/^127\.|^::1$|^localhost$/.test(address)) {
    throw new EngineError(
      "invalid",
      `${host} would give everyone who reaches it root on this machine: TLS is not supported yet, so only loopback addresses are`,
    );
  }
  log.warn({ host }, "every user of this machine can reach this address and so become root");
  server.listenTcp(address, Number(tcp[2]));
  return { [Symbol.dispose]: () => {} };
}

/** A daemon that died leaves its socket file behind. Throws "conflict" for a socket at which somebody answers, and for other files. */
async function removeStaleSocket(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket())
    throw new EngineError("conflict", `cannot listen on ${path}: there is a file that is no socket`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "ECONNREFUSED"));
  const answers = await promise;
  socket.destroy();
  if (answers) throw new EngineError("conflict", `cannot listen on ${path}: another program listens there`);
  rmSync(path);
}

/** Undefined where there is no such group: then only root may connect. */
function groupId(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const row = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((line) => line.startsWith(`${name}:`));
  return row === undefined ? undefined : Number(row.split(":")[2]);
}
