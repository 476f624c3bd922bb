import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeviceRequest } from "#api/types/container-config.ts";
import { injectDevices, validateDeviceRequests } from "./cdi.ts";
import { readCdiDevices } from "./cdi-spec.ts";
import type { RuntimeSpec } from "./types.ts";

const root = mkdtempSync(join(tmpdir(), "berth-cdi-"));
afterAll(() => rmSync(root, { recursive: true }));

function folderWith(files: Readonly<Record<string, object>>): string {
  const folder = mkdtempSync(join(root, "cdi-"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  return folder;
}

const vendorFile = (kind: string, ...names: string[]) => ({
  cdiVersion: "0.6.0",
  kind,
  devices: names.map((name) => ({ name, containerEdits: { env: [`GOT_${name}=1`] } })),
});

const gpus = (more: Partial<DeviceRequest>): DeviceRequest[] => [
  { Driver: "", Count: 0, DeviceIDs: null, Capabilities: [["gpu"]], Options: null, ...more },
];

function environment(requests: DeviceRequest[], folder: string): string[] {
  validateDeviceRequests(requests, [folder]);
  const spec = { process: { env: [], user: { additionalGids: [] } } } as unknown as RuntimeSpec;
  injectDevices(spec, requests, [folder]);
  return spec.process.env;
}

test("--gpus names the devices that NVIDIA's files describe", () => {
  const folder = folderWith({ "nvidia.json": vendorFile("nvidia.com/gpu", "0", "1", "all") });
  expect(environment(gpus({ Count: -1 }), folder)).toEqual(["GOT_all=1"]);
  expect(environment(gpus({ Count: 2 }), folder)).toEqual(["GOT_0=1", "GOT_1=1"]);
  expect(environment(gpus({ DeviceIDs: ["1"], Driver: "nvidia" }), folder)).toEqual(["GOT_1=1"]);
  expect(() => environment(gpus({ Count: 3 }), folder)).toThrow("unresolvable CDI devices nvidia.com/gpu=2");
  const none = 'could not select device driver "" with capabilities: [[gpu]]';
  expect(() => environment(gpus({ Count: -1 }), folderWith({}))).toThrow(none);
  expect(() => environment(gpus({ Driver: "other" }), folder)).toThrow('could not select device driver "other"');
  expect(() => environment(gpus({ Capabilities: [["tpu"]] }), folder)).toThrow("with capabilities: [[tpu]]");
});

test("a later folder overrides an earlier one, and its own contradictions take a device away", () => {
  const first = folderWith({ "a.json": vendorFile("v.example/c", "x", "y") });
  const second = folderWith({ "a.json": vendorFile("v.example/c", "x") });
  expect(readCdiDevices([first, second]).devices.get("v.example/c=x")?.file).toBe(join(second, "a.json"));
  writeFileSync(join(second, "b.json"), JSON.stringify(vendorFile("v.example/c", "x")));
  mkdirSync(join(second, "not.json"));
  const { devices, faults } = readCdiDevices([first, second, join(root, "absent")]);
  expect([...devices.keys()]).toEqual(["v.example/c=y"]);
  expect(faults).toEqual([
    expect.stringContaining("conflicting device v.example/c=x"),
    expect.stringContaining("not.json"),
  ]);
});
