/** Reaches a daemon on another host through ssh: each connection is an `ssh … berth system dial-stdio` of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExitError } from "./errors.ts";

/**
 * Opens a unix socket in a private folder that leads to the daemon at `host` (`ssh://[USER@]HOST[:PORT][/SOCKET]`) and
 * answers its path. The folder goes when the program ends. Throws ExitError for an address that cannot be.
 */
export function openTunnel(host: string): string {
  const command = sshCommand(host);
  const folder = mkdtempSync(join(tmpdir(), "berth-ssh-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "socket");
  const listener = Bun.listen<Tunnel>({
    unix: path,
    allowHalfOpen: true,
    socket: {
      open: (socket) => void (socket.data = new Tunnel(socket, command)),
      data: (socket, chunk) => socket.data.send(chunk),
      drain: (socket) => socket.data.drained(),
      end: (socket) => socket.data.endOfInput(),
      close: (socket) => socket.data.close(),
      error: (socket) => socket.data.close(),
    },
  });
  // The command ends when its work is done, not when nobody connects any more.
  listener.unref();
  return path;
}

/** The words of the ssh program. Nothing of `host` can be taken for an option. */
export function sshCommand(host: string): string[] {
  let url: URL;
  try {
    url = new URL(host);
  } catch (cause) {
    throw new ExitError(1, `unable to parse berth host \`${host}\``, { cause });
  }
  const { hostname, port, username, password, pathname, search } = url;
  if (hostname === "") throw new ExitError(1, "no host specified");
  if (password !== "") throw new ExitError(1, "plain-text password is not supported");
  if (search !== "") throw new ExitError(1, `extra query after the host: "${search.slice(1)}"`);
  const user = decodeURIComponent(username);
  const remote = ["berth", ...(pathname.length > 1 ? [`-H unix://${shellWord(pathname)}`] : []), "system dial-stdio"];
  return [
    "ssh",
    ...(user === "" ? [] : ["-l", user]),
    ...(port === "" ? [] : ["-p", port]),
    "-o",
    "ConnectTimeout=30",
    "-T",
    "--",
    hostname.replace(/^\[|\]$/g, ""),
    remote.join(" "),
  ];
}

/** For the shell on the other side. */
function shellWord(text: string): string {
  return `'${decodeURIComponent(text).replaceAll("'", `'\\''`)}'`;
}

/** One connection and the ssh that carries it. */
class Tunnel {
  readonly #socket: Bun.Socket<Tunnel>;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  #room: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(socket: Bun.Socket<Tunnel>, command: readonly string[]) {
    this.#socket = socket;
    this.#child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    void this.#pump();
  }

  send(chunk: Uint8Array): void {
    // The sink keeps what ssh cannot take yet: requests are small, and uploads wait for it by `flush`.
    void this.#child.stdin.write(Uint8Array.from(chunk));
    const flushed = this.#child.stdin.flush();
    if (!(flushed instanceof Promise)) return;
    this.#socket.pause();
    void flushed.finally(() => this.#closed || this.#socket.resume());
  }

  endOfInput(): void {
    void this.#child.stdin.end();
  }

  drained(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  close(): void {
    this.#closed = true;
    this.drained();
    this.#child.kill();
  }

  async #pump(): Promise<void> {
    for await (const chunk of this.#child.stdout) {
      for (let rest = chunk; rest.length > 0 && !this.#closed;) {
        rest = rest.subarray(Math.max(0, this.#socket.write(rest)));
        if (rest.length > 0) await (this.#room ??= Promise.withResolvers<void>()).promise;
      }
    }
    this.#socket.end();
  }
}
