/** For tests: runs a test file in a network namespace of its own, where it may set up any firewall and any network. */
import { dirname } from "node:path";
import { openDatabase } from "#store/database.ts";
import { Layout } from "#store/layout.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#lib/log.ts";
import { parsePrefix } from "#lib/ipv4.ts";
import { NamespaceWorker } from "#linux/namespaces.ts";
import { changeLink, createBridge, findLink } from "#linux/netlink-link.ts";
import { addAddress } from "#linux/netlink-route.ts";
import { Netlink, NETLINK_ROUTE } from "#linux/netlink.ts";
import { NetworkService } from "./service.ts";
import { networkSchema } from "./store.ts";
import type { NetworkOptions } from "./types.ts";

/** A busy machine may take this long to answer. */
const PATIENCE_MS = 1500;
const MARK = "BERTH_TEST_PRIVATE_NETWORK";
/** What the private network calls the host's own address. */
export const HOST_ADDRESS = "10.212.0.1";

/** True in the process that `rerunInPrivateNetwork` started. */
export function inPrivateNetwork(): boolean {
  return process.env[MARK] === "1";
}

/** Runs the tests of `file` again where `inPrivateNetwork` holds; throws with their output where one fails. */
export async function rerunInPrivateNetwork(file: string): Promise<void> {
  const child = Bun.spawn(["unshare", "--net", process.execPath, "test", file], {
    cwd: dirname(file),
    env: { ...process.env, [MARK]: "1" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${out}\n${error}`);
}

/** Brings loopback up and gives the host an address of its own. */
export function raiseHost(): void {
  using netlink = Netlink.open(NETLINK_ROUTE);
  netlink.execute(changeLink("lo", { up: true }), createBridge({ name: "host0" }));
  const link = findLink(netlink, "host0");
  const prefix = parsePrefix(`${HOST_ADDRESS}/24`);
  if (link === undefined || prefix === undefined) throw new Error("cannot make the host's own link");
  netlink.execute(addAddress(link.index, prefix), changeLink(link.index, { up: true }));
}

/** A network service over a throw-away root. */
export class TestNetwork implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), "berth-network-"));
  readonly layout = new Layout(join(this.root, "data"), join(this.root, "exec"));
  readonly db = openDatabase(this.layout.database, [networkSchema]);
  readonly namespaces = new NamespaceWorker();
  readonly events: string[] = [];
  readonly options: NetworkOptions;
  service: NetworkService;

  constructor(options: NetworkOptions = {}) {
    this.options = {
      bridge: "test0",
      table: "berth_test",
      pools: [{ base: "10.213.0.0/16", size: 24 }],
      warm: 0,
      ...options,
    };
    this.service = this.#open();
  }

  /** A second daemon over the same root; what the first one left is as after a crash if it was not closed. */
  reopen(): NetworkService {
    this.service = this.#open();
    return this.service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service.close();
    this.namespaces.close();
    this.db.close();
    rmSync(this.root, { recursive: true });
  }

  #open(): NetworkService {
    const emit = (action: string, _id: string, { name = "" }: Record<string, string>) =>
      this.events.push(`${action} ${name}`);
    const { db, layout, namespaces, options } = this;
    return new NetworkService({ db, layout, namespaces, log: silentLogger, emit, options });
  }
}

/** A program that answers each connection (tcp) or datagram (udp) with the address it came from. */
export async function listen(netnsPath: string, protocol: "tcp" | "udp", port: number): Promise<AsyncDisposable> {
  const program =
    protocol === "tcp"
      ? `Bun.listen({ hostname: "0.0.0.0", port: ${port}, socket: { data() {}, open(s) { s.end(s.remoteAddress); } } }); console.log("ready")`
      : `await Bun.udpSocket({ hostname: "0.0.0.0", port: ${port}, socket: { data(s, _d, p, a) { s.send(a, p, a); } } }); console.log("ready")`;
  const child = Bun.spawn(["nsenter", `--net=${netnsPath}`, process.execPath, "-e", program], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** What a listener answers, seen from a namespace (or from the host), or how it fails: "refused", "timeout". */
export async function ask(
  from: string | undefined,
  protocol: "tcp" | "udp",
  host: string,
  port: number,
): Promise<string> {
  const program =
    protocol === "tcp"
      ? `let t = ""; const done = (x) => { console.log(x); process.exit(0); }; setTimeout(() => done("timeout"), ${PATIENCE_MS});
         Bun.connect({ hostname: "${host}", port: ${port}, socket: { data(s, d) { t += d; }, end() { done(t); }, close() { done(t); }, error() {}, connectError() { done("refused"); } } }).catch(() => done("refused"));`
      : `const done = (x) => { console.log(x); process.exit(0); }; setTimeout(() => done("timeout"), ${PATIENCE_MS});
         const s = await Bun.udpSocket({ connect: { hostname: "${host}", port: ${port} }, socket: { data(_s, d) { done(d.toString()); }, error() { done("refused"); } } }); s.send("x");`;
  const command = [process.execPath, "-e", program];
  const child = Bun.spawn(from === undefined ? command : ["nsenter", `--net=${from}`, ...command], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return (await child.stdout.text()).trim();
}
