import { expect, test } from "bun:test";
import { hostModeHostsText, hostsText, parseExtraHosts } from "./hosts.ts";
import { internalResolvConf } from "./internal-resolv-conf.ts";
import { containerResolvConf } from "./resolv-conf.ts";

test("resolvers on loopback, and of IPv6 where the container has none, are left out; where none remain, public ones stand in", () => {
  const host =
    "# by hand\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\nsearch a.example b.example\n";
  expect(containerResolvConf(host, {})).toBe("nameserver 10.0.0.2\nsearch a.example b.example\n");
  const both = "nameserver ::1\nnameserver 2001:db8::53\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\n";
  expect(containerResolvConf(both, {}, true)).toBe("nameserver 2001:db8::53\nnameserver 10.0.0.2\n");
  expect(containerResolvConf(both, {})).toBe("nameserver 10.0.0.2\n");
  const fallback = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
  expect(containerResolvConf("nameserver 127.0.0.1\n", {})).toBe(fallback);
  expect(containerResolvConf("", {})).toBe(fallback);
});

test("what a container chooses replaces the host's, list by list; the search domain . means none", () => {
  const host = "nameserver 10.0.0.2\ndomain a.example\noptions ndots:5 ; here\noptions rotate\n";
  expect(containerResolvConf(host, { nameservers: ["127.0.0.9", "1.1.1.1"] })).toBe(
    "nameserver 127.0.0.9\nnameserver 1.1.1.1\nsearch a.example\noptions ndots:5 rotate\n",
  );
  expect(containerResolvConf(host, { search: ["."], options: ["timeout:1"] })).toBe(
    "nameserver 10.0.0.2\noptions timeout:1\n",
  );
});

test("for the DNS server the container asks 127.0.0.11 only, with ndots:0 unless somebody chose it", () => {
  const none = { nameservers: [], search: [], options: [] };
  const host = "nameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\nsearch a.example\noptions edns0\n";
  const plain = internalResolvConf(host, none);
  expect(plain).toMatchObject({ ndots: false });
  expect(plain.servers).toBeUndefined();
  expect(plain.text.split("\n").slice(3)).toEqual([
    "nameserver 127.0.0.11",
    "search a.example",
    "options edns0 ndots:0",
    "",
    "# Based on host file: '/etc/resolv.conf' (internal resolver)",
    "# ExtServers: [host(127.0.0.53) host(fe80::1%eth0) 10.0.0.2]",
    "# Overrides: []",
    "# Option ndots from: internal",
    "",
  ]);
  const own = internalResolvConf(host, { nameservers: ["127.0.0.9"], search: ["."], options: ["ndots:x", "ndots:2"] });
  expect(own).toMatchObject({ ndots: true, servers: ["127.0.0.9"] });
  expect(own.text).toContain("nameserver 127.0.0.11\noptions ndots:2\n");
  expect(own.text).toContain("# ExtServers: [127.0.0.9]\n# Overrides: [nameservers search options]\n");
  expect(own.text).toContain("# Option ndots from: override\n");
  expect(internalResolvConf("", none).text).toContain("# Used default nameservers.\n# ExtServers: [8.8.8.8 8.8.4.4]\n");
  expect(internalResolvConf("options ndots:5\n", none)).toMatchObject({ ndots: true });
});

test("hosts has loopback first, then what was added, then the container's own addresses", () => {
  const extra = parseExtraHosts(["db:10.9.8.7", "up:host-gateway", "six:[2001:db8::1]"], "10.0.0.1");
  const lines = hostsText({ hostname: "pier", domainname: "example.org", addresses: ["10.0.0.5"], extra }).split("\n");
  expect(lines[0]).toBe("127.0.0.1\tlocalhost");
  expect(lines.slice(-5)).toEqual([
    "10.9.8.7\tdb",
    "10.0.0.1\tup",
    "2001:db8::1\tsix",
    "10.0.0.5\tpier.example.org pier",
    "",
  ]);
  expect(hostModeHostsText("127.0.0.1 localhost", extra).split("\n")[1]).toBe("10.9.8.7\tdb");
  expect(() => parseExtraHosts(["nonsense"], "")).toThrow('bad format for add-host: "nonsense"');
  expect(() => parseExtraHosts(["db:10.9.8"], "")).toThrow('invalid IP address in add-host: "10.9.8"');
});
