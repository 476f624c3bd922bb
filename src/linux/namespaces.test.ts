import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeFd } from "./descriptor.ts";
import { syscall } from "./libc.ts";
import { mountTmpfs, unmount } from "./mount.ts";
import { listMounts } from "./mountinfo.ts";
import { NamespaceWorker } from "./namespaces.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-namespaces-"));
const worker = new NamespaceWorker();
afterAll(() => {
  worker.close();
  for (const { mountPoint } of listMounts(folder).toReversed()) unmount(mountPoint, { detach: true });
  rmSync(folder, { recursive: true });
});

const RTM_GETLINK = 18;

/** Names of the links that a NETLINK_ROUTE socket sees: one dump, for which one read is enough here. */
function linkNames(socket: number): string[] {
  const request = new Uint8Array(32);
  const header = new DataView(request.buffer);
  header.setUint32(0, request.length, true);
  header.setUint16(4, RTM_GETLINK, true);
  header.setUint16(6, 0x301, true); // NLM_F_REQUEST | NLM_F_DUMP
  expect(syscall("sendto", socket, request, request.length, 0, null, 0)).toBe(request.length);
  const reply = new Uint8Array(65536);
  const length = syscall("recvfrom", socket, reply, reply.length, 0, null, null);
  const names: string[] = [];
  const view = new DataView(reply.buffer, 0, length);
  for (let at = 0; at < length; at += view.getUint32(at, true)) {
    // nlmsghdr (16), ifinfomsg (16), then attributes; IFLA_IFNAME is 3.
    for (let attribute = at + 32; attribute < at + view.getUint32(at, true);) {
      const size = view.getUint16(attribute, true);
      if (view.getUint16(attribute + 2, true) === 3) {
        names.push(new TextDecoder().decode(reply.subarray(attribute + 4, attribute + size - 1)));
      }
      attribute += (size + 3) & ~3;
    }
  }
  return names;
}

/** What a promise was rejected with. `expect().rejects` would hold up the event loop, and with it the thread's answer. */
function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function namespacesOfThreads(): string[] {
  const seen = readdirSync("/proc/self/task").map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));
  return [...new Set(seen)];
}

test("creates a network namespace whose socket works on the main thread, and removes it", async () => {
  const path = join(folder, "one");
  const socket = await worker.createNetworkNamespace(path);
  expect(linkNames(socket)).toContain("lo");
  expect(linkNames(socket)).not.toContain("eth0");
  closeFd(socket);
  const [mount] = listMounts(path);
  expect(mount?.type).toBe("nsfs");
  expect(await refusal(worker.createNetworkNamespace(path))).toMatchObject({ kind: "conflict", code: "EEXIST" });
  const again = await worker.netlinkSocketIn(path);
  expect(linkNames(again)).toContain("lo");
  closeFd(again);
  await worker.removeNetworkNamespace(path);
  await worker.removeNetworkNamespace(path);
  expect(readdirSync(folder)).toEqual([]);
});

test("leaves every thread of the process at home", async () => {
  const home = readlinkSync("/proc/self/ns/net");
  const names = Array.from({ length: 40 }, (_, i) => join(folder, `many-${i}`));
  for (const socket of await Promise.all(names.map((path) => worker.createNetworkNamespace(path)))) closeFd(socket);
  expect(namespacesOfThreads()).toEqual([home]);
  await Promise.all(names.map((path) => worker.removeNetworkNamespace(path)));
  expect(listMounts(folder)).toEqual([]);
});

test("writes sysctls, runs nftables and opens sockets inside a namespace only", async () => {
  const path = join(folder, "inside");
  closeFd(await worker.createNetworkNamespace(path));
  const outside = readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8");
  await worker.writeFilesIn(path, { "/proc/sys/net/ipv4/ip_default_ttl": "33" });
  expect(readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8")).toBe(outside);
  expect(await refusal(worker.writeFilesIn(path, { "/proc/sys/net/ipv4/ip_default_ttl": "nonsense" }))).toMatchObject({
    code: "EINVAL",
  });
  await worker.nftIn(path, "cannot make a table", "add table inet berth_test");
  expect(String(await refusal(worker.nftIn(path, "cannot make a table", "add nonsense")))).toContain(
    "cannot make a table",
  );
  closeFd(await worker.socketIn(path, 2, 2));
  expect(namespacesOfThreads()).toEqual([readlinkSync("/proc/self/ns/net")]);
  await worker.removeNetworkNamespace(path);
});

test("enters the namespace of a process", async () => {
  const socket = await worker.netlinkSocketIn(process.pid);
  expect(linkNames(socket)).toContain("lo");
  closeFd(socket);
  expect(await refusal(worker.netlinkSocketIn(2 ** 22 + 1))).toMatchObject({ kind: "not-found", errno: 2 });
});

test("unmounts, tolerates nothing mounted and refuses what is in use", async () => {
  const target = join(folder, "mounted");
  mkdirSync(target);
  expect(await worker.unmount(target)).toBe(false);
  mountTmpfs(target);
  writeFileSync(join(target, "file"), "");
  const user = Bun.spawn(["sleep", "60"], { cwd: target });
  expect(await refusal(worker.unmount(target))).toMatchObject({ kind: "conflict", code: "EBUSY" });
  user.kill();
  await user.exited;
  expect(await worker.unmount(target)).toBe(true);
  await worker.unmountAndRemove(target);
  await worker.unmountAndRemove(target);
  expect(readdirSync(folder)).toEqual([]);
});

test("rejects what is asked of closed threads", async () => {
  const closed = new NamespaceWorker();
  const pending = closed.createNetworkNamespace(join(folder, "never/there"));
  closed.close();
  expect(await refusal(pending)).toMatchObject({ kind: "unavailable" });
  expect(await refusal(closed.unmount(folder))).toMatchObject({ kind: "unavailable" });
});
