/** The daemon under a service manager: sockets that are there already, and what it says of itself. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { closeFd } from "#linux/descriptor.ts";
import { checked, syscall } from "#linux/libc.ts";
import { DaemonProcess } from "./harness/daemon.ts";
import { sweep } from "./harness/leftovers.ts";
import { run, until } from "./harness/process.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;

/** A unix socket bound to `path`, which `@` makes an abstract one. The caller closes it. */
function boundSocket(type: number, path: string): number {
  const fd = checked("cannot make a socket", path, "socket", AF_UNIX, type | 0o2000000, 0);
  const name = new TextEncoder().encode(path.replace(/^@/, "\0"));
  const address = new Uint8Array(2 + name.length);
  address[0] = AF_UNIX;
  address.set(name, 2);
  checked("cannot bind", path, "bind", fd, address, address.length);
  return fd;
}

function listening(path: string): number {
  const fd = boundSocket(SOCK_STREAM, path);
  checked("cannot listen", path, "listen", fd, 16);
  return fd;
}

/** Datagrams that came and were not read yet. */
function received(fd: number): string[] {
  const MSG_DONTWAIT = 0x40;
  const messages: string[] = [];
  const buffer = new Uint8Array(4096);
  for (;;) {
    const bytes = syscall("recvfrom", fd, buffer, buffer.length, MSG_DONTWAIT, null, null);
    if (bytes <= 0) return messages;
    messages.push(new TextDecoder().decode(buffer.subarray(0, bytes)));
  }
}

async function ping(path: string): Promise<boolean> {
  return (await fetch("http://localhost/_ping", { unix: path, headers: { Connection: "close" } })).ok;
}

const bridgeOf = (folder: string): string => `ba${folder.slice(-6)}`;

/** The daemon's bridge stays when it stops; here it goes too. */
async function cleanUp(folder: string): Promise<void> {
  const roots = { dataRoot: `${folder}/data`, execRoot: `${folder}/exec` };
  const kernel = { ...roots, bridge: bridgeOf(folder), containers: new Set<string>(), bridges: new Set<string>() };
  await sweep(kernel, { remove: true });
  await rm(folder, { recursive: true });
}

/** Starts a daemon as systemd does: `sockets` are its descriptors from 3 on. */
function activate(folder: string, sockets: readonly number[], env: Record<string, string>, flags: readonly string[]) {
  const { program } = new DaemonProcess("", "", []);
  const roots = [`--data-root=${folder}/data`, `--exec-root=${folder}/exec`, "--config-file=/dev/null"];
  const network = [`--bridge=${bridgeOf(folder)}`, `--bip=10.251.${Math.floor(Math.random() * 250)}.1/24`];
  const command = [...program, "daemon", ...roots, ...network, ...flags];
  // LISTEN_PID must name the daemon itself, which only it knows before it runs.
  const shell = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", ...command];
  return Bun.spawn(shell, {
    env: { ...process.env, LISTEN_FDS: String(sockets.length), ...env },
    stdio: ["ignore", "ignore", Bun.file(`${folder}/log`), ...sockets],
    detached: true,
  });
}

test("it answers on the sockets of the service manager and tells it how it is", async () => {
  const folder = await mkdtemp("/run/bt-activation-");
  const [one, two, other] = [`${folder}/one.sock`, `${folder}/two.sock`, `${folder}/other.sock`];
  const manager = `@berth-test-${process.pid}-${Math.random()}`;
  const notices = boundSocket(SOCK_DGRAM, manager);
  const sockets = [listening(one), listening(two), listening(other)];
  const env = { LISTEN_FDNAMES: "api:berth.socket:other", NOTIFY_SOCKET: manager };
  const daemon = activate(folder, sockets, env, ["--host=fd://berth.socket", "--host=fd://3"]);
  for (const fd of sockets) closeFd(fd);
  const said: string[] = [];
  const says = (text: string): Promise<unknown> =>
    until(`the daemon says ${text}`, () => {
      if (daemon.exitCode !== null) throw new Error("the daemon ended");
      said.push(...received(notices));
      return said.some((message) => message.includes(text));
    });
  try {
    await says("READY=1");
    expect(said).toEqual(["READY=1"]);
    expect(await ping(one)).toBe(true);
    expect(await ping(two)).toBe(true);
    // Nobody asked for the third: it must not swallow clients.
    await expect(ping(other)).rejects.toThrow();

    said.length = 0;
    daemon.kill("SIGHUP");
    await says("READY=1");
    expect(said[0]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
    expect(said[1]).toBe("READY=1");

    said.length = 0;
    daemon.kill("SIGTERM");
    await daemon.exited;
    said.push(...received(notices));
    expect(said).toEqual(["STOPPING=1"]);
    // They are the service manager's own.
    expect(existsSync(one) && existsSync(two)).toBe(true);
  } finally {
    daemon.kill("SIGKILL");
    await daemon.exited;
    closeFd(notices);
    await cleanUp(folder);
  }
});

test.each([
  [[], "fd://", "no sockets found via socket activation: make sure the service was started by systemd"],
  [["a"], "fd://web", "there is no inherited socket web: there are 3 (a)"],
] as const)("with %j, %s is refused", async (names, host, message) => {
  const folder = await mkdtemp("/run/bt-activation-");
  const sockets = names.map((name) => listening(`${folder}/${name}`));
  const daemon = activate(folder, sockets, { LISTEN_FDNAMES: names.join(":") }, [`--host=${host}`]);
  try {
    expect(await daemon.exited).toBe(1);
    expect(await Bun.file(`${folder}/log`).text()).toContain(message);
  } finally {
    for (const fd of sockets) closeFd(fd);
    daemon.kill("SIGKILL");
    await daemon.exited;
    await cleanUp(folder);
  }
});

const analyze = Bun.which("systemd-analyze");

test.if(analyze !== null)("systemd finds no fault with the units", async () => {
  const folder = await mkdtemp("/var/tmp/bt-units-");
  try {
    const units = join(import.meta.dir, "../packaging");
    for (const name of ["berth.service", "berth.socket"]) {
      const text = await Bun.file(join(units, name)).text();
      // What a package would have installed.
      await Bun.write(
        join(folder, name),
        text.replace("/usr/bin/berth", "/bin/true").replace(/^Documentation=.*\n/m, ""),
      );
    }
    const verified = await run(["systemd-analyze", "verify", `${folder}/berth.service`, `${folder}/berth.socket`]);
    expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });
  } finally {
    await rm(folder, { recursive: true });
  }
});
