import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#lib/log.ts";
import { closeFd } from "#linux/descriptor.ts";
import { connectTo, receiveBytes, sendBytes } from "#linux/inet-socket.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "#linux/namespace-testing.ts";
import { NamespaceWorker } from "#linux/namespaces.ts";
import { changeLink } from "#linux/netlink-link.ts";
import { listTables } from "#linux/netlink-nftables.ts";
import { Netlink } from "#linux/netlink.ts";
import { inNamespace } from "#linux/network-namespace.ts";
import { answers, encodeName, parseQuery } from "./message.ts";
import type { NamedSandbox } from "./protocol.ts";
import { DnsService } from "./service.ts";

if (inPrivateNetwork()) insideTests();
else test("the DNS thread with real sockets", () => rerunInPrivateNetwork(import.meta.path), 60_000);

const SERVER = { bytes: Uint8Array.of(127, 0, 0, 11) };

function sandbox(namespace: string, name: string): NamedSandbox {
  const endpoints = [{ network: "n", networkName: "net", names: [name], ipv4: Uint8Array.of(10, 0, 0, 1) }];
  return { id: "box", namespace, external: false, ndots: false, endpoints };
}

/** Last byte of the address that a name is answered with; asked again until there is an answer. */
async function look(namespace: string, name: string): Promise<number | undefined> {
  const message = Uint8Array.from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...(encodeName(name) ?? []), 0, 1, 0, 1]);
  const query = parseQuery(message);
  if (typeof query !== "object") throw new Error("no query");
  const fd = inNamespace(namespace, () => connectTo("udp", SERVER, 53));
  try {
    const answer = new Uint8Array(512);
    for (let waited = 0; ; waited += 5) {
      if (waited % 100 === 0) sendBytes(fd, message);
      const length = receiveBytes(fd, answer);
      if (length !== undefined) {
        expect(answers(answer.subarray(0, length), 7, query)).toBe(true);
        return answer[7] === 0 ? undefined : answer[length - 1];
      }
      await Bun.sleep(5);
    }
  } finally {
    closeFd(fd);
  }
}

function insideTests(): void {
  test("names are served at once, by the next thread too where one fails, and no more once they are removed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-dns-"));
    const namespace = join(folder, "net");
    using namespaces = new NamespaceWorker();
    using netlink = new Netlink(await namespaces.createNetworkNamespace(namespace));
    netlink.execute(changeLink("lo", { up: true }));
    const service = new DnsService(silentLogger, () => []);
    await service.open("box", { namespace });
    expect(service.sockets("box")).toBeDefined();
    const [table] = inNamespace(namespace, listTables);
    for (let i = 0; i < 200; i++) {
      service.put(sandbox(namespace, `name${i}`));
      expect(await look(namespace, `name${i}`)).toBe(1);
    }
    expect(await look(namespace, "name0")).toBeUndefined();

    // No thread can do anything with this one.
    service.put({ ...sandbox(namespace, "x"), id: "bad", endpoints: null as unknown as [] });
    while (service.sockets("box") !== undefined) await Bun.sleep(5);
    service.remove("bad");
    expect(await look(namespace, "name199")).toBe(1);
    // The sockets of the first were closed, so the second has their ports.
    expect(inNamespace(namespace, listTables)).toEqual([table ?? ""]);

    service.remove("box");
    // Where no thread ever gets as far, nobody waits for ever.
    service.put({ ...sandbox(namespace, "x"), id: "bad", endpoints: null as unknown as [] });
    await expect(service.open("box", { namespace })).rejects.toThrow("cannot start the DNS server");
    service.remove("bad");
    await service.open("box", { namespace });
    service.put(sandbox(namespace, "again"));
    expect(await look(namespace, "again")).toBe(1);
    await service.close();
    await expect(service.open("box2", { namespace })).rejects.toThrow("the DNS server has ended");
    await namespaces.removeNetworkNamespace(namespace);
    rmSync(folder, { recursive: true });
  });
}
