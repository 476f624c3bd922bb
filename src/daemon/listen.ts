/** Opens the sockets that the daemon answers on. */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { EngineError } from "#lib/errors.ts";
import type { HttpServer, ServerTls } from "#lib/http/server.ts";
import type { Logger } from "#lib/log.ts";
import { type InheritedSocket, prepareListening } from "#linux/listening.ts";

export interface ListenOptions {
  readonly group: string;
  /** For tcp sockets. */
  readonly tls: ServerTls | undefined;
  /** What the service manager opened; what is used leaves the set. */
  readonly inherited: Set<InheritedSocket>;
  readonly log: Logger;
}

/** Opens one `--host`. Throws kind "invalid" for one that cannot be or that would be open to anybody. */
export async function listen(server: HttpServer, host: string, options: ListenOptions): Promise<Disposable> {
  const [, scheme = "", rest = ""] = /^(unix|tcp|fd):\/\/(.*)$/.exec(host) ?? [];
  if (scheme === "unix" && rest.startsWith("/")) return await listenUnix(server, rest, options.group);
  if (scheme === "tcp") return listenTcp(server, host, rest, options);
  if (scheme === "fd") return listenInherited(server, rest, options);
  throw new EngineError("invalid", `invalid host ${host}: it must be unix://PATH, tcp://ADDRESS:PORT or fd://`);
}

async function listenUnix(server: HttpServer, path: string, group: string): Promise<Disposable> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  await removeStaleSocket(path);
  const before = process.umask(0o177);
  try {
    server.listenUnix(path);
  } finally {
    process.umask(before);
  }
  const gid = groupId(group);
  if (gid !== undefined) {
    chownSync(path, 0, gid);
    chmodSync(path, 0o660);
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

function listenTcp(server: HttpServer, host: string, rest: string, { tls, log }: ListenOptions): Disposable {
  const match = /^(\[[0-9a-f:]+\]|[^:/[\]]*)(?::(\d+))?$/i.exec(rest);
  if (match === null) throw new EngineError("invalid", `invalid host ${host}: it must be tcp://ADDRESS:PORT`);
  const address = (match[1] || "127.0.0.1").replace(/^\[|\]$/g, "");
  guard(host, address, tls, log);
  server.listenTcp(address, Number(match[2] ?? (tls === undefined ? 2375 : 2376)), tls);
  return { [Symbol.dispose]: () => {} };
}

/** `fd://` and `fd://*` are all inherited sockets, `fd://4` is the one of that number, `fd://name` those of that name. */
function listenInherited(server: HttpServer, wanted: string, { tls, inherited, log }: ListenOptions): Disposable {
  const chosen = [...inherited].filter(
    ({ fd, name }) => wanted === "" || wanted === "*" || wanted === String(fd) || wanted === name,
  );
  if (chosen.length === 0) {
    throw new EngineError(
      "invalid",
      inherited.size === 0
        ? "no sockets found via socket activation: make sure the service was started by systemd"
        : `there is no inherited socket ${wanted}: there are ${[...inherited].map(({ fd, name }) => `${fd} (${name})`).join(", ")}`,
    );
  }
  for (const socket of chosen) {
    const { fd, name } = socket;
    const reach = prepareListening(fd);
    if (reach === undefined)
      throw new EngineError("invalid", `the inherited descriptor ${fd} (${name}) is no listening socket`);
    if (reach.kind === "unix") server.listenFd(fd);
    else {
      guard(`tcp://${reach.address}:${reach.port}`, reach.address, tls, log);
      server.listenFd(fd, tls);
    }
    inherited.delete(socket);
  }
  return { [Symbol.dispose]: () => {} };
}

/** Whoever reaches the API is root on this machine: only clients with a certificate may come from elsewhere. */
function guard(host: string, address: string, tls: ServerTls | undefined, log: Logger): void {
  if (tls?.ca !== undefined) return;
  if (!/^127\.|^::1$|^localhost$/.test(address)) {
    throw new EngineError(
      "invalid",
      `${host} would give everyone who reaches it root on this machine: ` +
        "use --tlsverify with --tlscacert, --tlscert and --tlskey, or a loopback address",
    );
  }
  log.warn({ host }, "every user of this machine can reach this address and so become root");
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
