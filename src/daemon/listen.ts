/** Opens the sockets that the daemon answers on. */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { EngineError } from "#lib/errors.ts";
import type { HttpServer } from "#lib/http/server.ts";
import type { Logger } from "#lib/log.ts";

export async function listen(server: HttpServer, host: string, group: string, log: Logger): Promise<Disposable> {
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
