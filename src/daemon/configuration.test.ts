import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Configuration, readConfiguration, reconfigure, usage } from "./configuration.ts";
import { settings } from "./configuration/table.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-configuration-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(value: unknown): string {
  const path = join(folder, "daemon.json");
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

function read(value: unknown, ...flags: string[]): Configuration {
  const configuration = readConfiguration([`--config-file=${file(value)}`, ...flags]);
  if (typeof configuration === "string") throw new Error(configuration);
  return configuration;
}

test("flags in every spelling mean what the file's keys mean", () => {
  const flags = read({}, "-D", "--label", "a=b", "--label=c=d", "--icc=false", "--default-ulimit=nofile=10:20");
  const keys = { debug: true, labels: ["a=b", "c=d"], icc: false };
  expect(flags).toEqual(read({ ...keys, "default-ulimits": { nofile: { Name: "nofile", Soft: 10, Hard: 20 } } }));
  expect(flags["log-level"]).toBe("debug");
  expect(read({}, "-H", "unix:///a", "-Hfd://").hosts).toEqual(["unix:///a", "fd://"]);
  expect(read({}, "--runtime=runc")).toEqual(read({ "default-runtime": "runc" }));
  expect(read({}, "--add-runtime", "mine=/bin/x")).toEqual(read({ runtimes: { mine: { path: "/bin/x" } } }));
  expect(read({}, "--default-address-pool", "base=10.1.0.0/16,size=24")["default-address-pools"]).toEqual([
    { base: "10.1.0.0/16", size: 24 },
  ]);
  expect(read({ "default-shm-size": "1g" })["default-shm-size"]).toBe(1024 ** 3);
  expect(read({ "exec-root": "/run/x/" }).hosts).toEqual(["unix:///run/x/berth.sock"]);
  expect(read("").hosts).toEqual(["unix:///run/berth/berth.sock"]);
});

test("proxies are grouped in the file", () => {
  const proxies = { "http-proxy": "http://p:1", "https-proxy": "http://p:2", "no-proxy": "here" };
  expect(read({ proxies })).toEqual(read({}, "--http-proxy=http://p:1", "--https-proxy=http://p:2", "--no-proxy=here"));
  expect(() => read({ proxies: { "ftp-proxy": "x" } })).toThrow("any configuration option: ftp-proxy");
  expect(() => read({ proxies: "x" })).toThrow("any configuration option: proxies");
});

test("what stops containers is said once", () => {
  expect(read({})).toMatchObject({ "live-restore": true, "stop-containers": false });
  expect(read({ "live-restore": false })).toMatchObject({ "stop-containers": true });
  expect(read({}, "--stop-containers")).toMatchObject({ "live-restore": false });
  expect(() => read({ "live-restore": true, "stop-containers": true })).toThrow("contradict each other");
  expect(() => read({}, "--live-restore", "--stop-containers")).toThrow("contradict each other");
  // The package's removal stops all, whatever the file says.
  expect(read({ "live-restore": true }, "--stop-containers")).toMatchObject({ "live-restore": false });
  expect(read({ "stop-containers": true }, "--live-restore")).toMatchObject({ "stop-containers": false });
});

test.each([
  [{ nam: 1, hots: [] }, [], "the following directives don't match any configuration option: nam, hots"],
  [{ "default-gateway": "1.2.3.4" }, [], `"default-gateway" is not supported: give the bridge the address`],
  [{ "userland-proxy": true }, [], "userland-proxy: only false is supported: ports are published by the kernel alone"],
  [{ features: { "containerd-snapshotter": true } }, [], "features.containerd-snapshotter is not supported"],
  [{ debug: "yes" }, [], "debug: Invalid input: expected boolean"],
  [{ labels: ["x"] }, [], "labels: bad attribute format: x"],
  ["[]", [], "it must be an object"],
  ["{", [], "unable to configure the daemon with file"],
  [{ mtu: 9.5 }, [], "mtu: it must be a whole number from 0 to 65535"],
  [
    { debug: true },
    ["--debug=false"],
    "specified both as a flag and in the configuration file: debug: (from flag: false, from file: true)",
  ],
  [{}, ["--nonsense"], "unknown flag: --nonsense\nSee 'berth daemon --help'."],
  [{}, ["-q"], "unknown shorthand flag: 'q' in -q"],
  [{}, ["--bip"], "flag needs an argument: --bip"],
  [{}, ["here"], "it accepts no arguments: here"],
  [{}, ["--log-level=loud"], 'invalid argument "loud" for "-l, --log-level" flag: it must be one of'],
  [{}, ["--data-root=x"], "it must be an absolute path: x"],
] as const)("%j with %j is refused", (value, flags, message) => {
  expect(() => read(value, ...flags)).toThrow(message);
});

test("a file that is named must be there; --validate and --help say so much", () => {
  expect(() => readConfiguration(["--config-file=/nowhere/daemon.json"])).toThrow("/nowhere/daemon.json");
  expect(readConfiguration(["--validate", `--config-file=${file({ debug: true })}`])).toBe("valid");
  expect(() => readConfiguration(["--validate", `--config-file=${file({ debgu: true })}`])).toThrow("debgu");
  expect(readConfiguration(["--help"])).toBe("help");
  for (const flag of ["-D, --debug ", "-H, --host list ", "--metrics-addr string ", "--start-timeout seconds "]) {
    expect(usage).toContain(flag);
  }
  expect(usage).not.toContain("--userland-proxy");
});

test("a new reading changes at once what can be changed, and names the rest", () => {
  const { configuration, pending } = reconfigure(
    read({ labels: ["a=b"], bip: "10.1.2.3/24" }),
    read({ labels: ["c=d"], "log-level": "warn", bip: "10.9.2.3/24", hosts: ["unix:///x"] }),
  );
  expect(configuration).toMatchObject({ labels: ["c=d"], "log-level": "warn", bip: "10.1.2.3/24" });
  expect(pending.toSorted()).toEqual(["bip", "hosts"]);
});

test("every setting is told of in the documentation", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../docs/daemon.md")).text();
  expect(Object.keys(settings).filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
});
