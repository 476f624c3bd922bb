import { expect, test } from "bun:test";
import type { ContainerChanges } from "#api/types/change.ts";
import { containerCreateSchema } from "#api/schemas/container.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import type { PublishedPort } from "#engine/network/ports.ts";
import { digestOf } from "#oci/digest.ts";
import { changeLists } from "./lists.ts";
import { changeMounts } from "./mounts.ts";
import { changePorts } from "./ports.ts";

function record(hostConfig: object = {}, config: object = {}): ContainerRecord {
  const { Config, HostConfig, NetworkingConfig } = containerCreateSchema.parse({ ...config, HostConfig: hostConfig });
  return {
    id: "f".repeat(64),
    name: "web",
    created: "",
    imageId: digestOf(""),
    chain: [],
    platform: "linux",
    config: Config,
    hostConfig: HostConfig,
    networkingConfig: NetworkingConfig,
    mounts: [],
  };
}

const port = (containerPort: number, hostPort: number, address = "0.0.0.0"): PublishedPort => ({
  protocol: "tcp",
  containerPort,
  hostPort,
  hostAddress: address,
});
const bind = (HostPort: string, HostIp = "") => ({ HostIp, HostPort });
const mountOptions = {
  running: true,
  volumePath: (name: string) => `/volumes/${name}`,
  imageOf: (): never => {
    throw new Error("no images");
  },
};

test("of a port that several bindings publish the one that is meant goes", () => {
  const next = record({ PortBindings: { "80/tcp": [bind("8080"), bind("9000-9010"), bind("")] } });
  const published = [port(80, 8080), port(80, 9003), port(80, 32_768)];
  expect(changePorts(next, { Remove: [{ HostPort: "9003" }] }, published).remove).toEqual([port(80, 9003)]);
  expect(next.hostConfig.PortBindings).toEqual({ "80/tcp": [bind("8080"), bind("")] });
  changePorts(next, { Remove: [{ HostPort: "32768" }] }, published);
  expect(next.hostConfig.PortBindings).toEqual({ "80/tcp": [bind("8080")] });
  changePorts(next, { Remove: [{ Port: "80" }] }, undefined);
  expect(next.hostConfig.PortBindings).toEqual({});
});

test("address and protocol choose too", () => {
  const next = record({ PortBindings: { "80/tcp": [bind("80", "127.0.0.1"), bind("80", "10.0.0.1")] } });
  const published = [port(80, 80, "127.0.0.1"), port(80, 80, "10.0.0.1")];
  const remove = (Remove: { HostPort?: string; HostIp?: string; Protocol?: string }) =>
    changePorts(structuredClone(next), { Remove: [Remove] }, published).remove;
  expect(remove({ HostPort: "80", HostIp: "10.0.0.1" })).toEqual([port(80, 80, "10.0.0.1")]);
  expect(remove({ HostPort: "80" })).toHaveLength(2);
  expect(() => remove({ HostPort: "80", Protocol: "udp" })).toThrow("does not publish");
});

test("a mount that is removed is forgotten wherever it was asked for", () => {
  const next = record({ Binds: ["/a:/one/", "named:/two:ro"], Tmpfs: { "/three": "" } }, { Volumes: { "/four/": {} } });
  next.mounts = ["/one", "/two", "/three", "/four"].map((destination) => ({
    type: "bind",
    source: "/a",
    destination,
    mode: "",
    readOnly: false,
    propagation: "rprivate",
    listed: true,
  }));
  const { remove } = changeMounts(next, { Mounts: { Remove: ["/one", "/three/", "/four"] } }, mountOptions);
  expect(remove.map(({ destination }) => destination)).toEqual(["/one", "/three", "/four"]);
  expect([next.hostConfig.Binds, next.hostConfig.Tmpfs, next.config.Volumes]).toEqual([
    ["named:/two:ro"],
    undefined,
    null,
  ]);
});

test("a mount neither hides another one nor takes it along", () => {
  const next = record();
  changeMounts(next, { Binds: { Add: ["inner:/data/inner", "outer:/other"] } }, mountOptions);
  const refusal = (changes: Pick<ContainerChanges, "Binds" | "Mounts">) => () =>
    changeMounts(structuredClone(next), changes, mountOptions);
  expect(refusal({ Binds: { Add: ["xx:/data"] } })).toThrow("/data/inner is mounted below it");
  expect(refusal({ Binds: { Add: ["xx:/other"] } })).toThrow("Duplicate mount point: /other");
  expect(refusal({ Binds: { Add: ["xx:/proc/x"] } })).toThrow("recreate the container");
  expect(refusal({ Binds: { Add: ["xx:/"] } })).toThrow("destination can't be '/'");
  const both = { Binds: { Add: ["xx:/data", "inner:/data/inner"] }, Mounts: { Remove: ["/data/inner"] } };
  expect(changeMounts(next, both, mountOptions).add.map(({ destination }) => destination)).toEqual([
    "/data",
    "/data/inner",
  ]);
});

test("a variable that was taken away and given back is there again", () => {
  const next = record({}, { Env: ["A=1", "B=2"] });
  changeLists(next, { Env: { Remove: ["A"], Add: ["B=3"] } });
  expect([next.config.Env, next.unsetEnv]).toEqual([["B=3"], ["A"]]);
  changeLists(next, { Env: { Add: ["A=4"] } });
  expect([next.config.Env, next.unsetEnv]).toEqual([["B=3", "A=4"], []]);
});
