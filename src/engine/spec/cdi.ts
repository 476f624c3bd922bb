/** Gives containers the devices that they ask for by request: `--gpus`, and `--device` by a vendor's name. */
import { lstatSync } from "node:fs";
import type { DeviceRequest } from "#api/types/container-config.ts";
import { EngineError, errorMessage } from "#lib/errors.ts";
import { cdiFolders, type CdiDeviceNode, type ContainerEdits, readCdiDevices } from "./cdi-spec.ts";
import { splitDevice } from "./resources.ts";
import type { DeviceSpec, RuntimeSpec } from "./types.ts";

const GPU = "nvidia.com/gpu";
/** What a request for NVIDIA's devices may name. */
const GPU_CAPABILITIES = new Set("gpu nvidia compute compat32 graphics utility video display".split(" "));

/**
 * For a container that is made: refuses requests that nobody here could fulfil. Devices by name are looked for when it
 * starts, as their files may come and go. Throws "invalid" in Docker's words.
 */
export function validateDeviceRequests(requests: readonly DeviceRequest[], folders = cdiFolders): void {
  for (const request of requests) {
    if (request.Driver !== "cdi") gpuNames(request, folders);
    else if (request.Count !== 0) throw new EngineError("invalid", "cannot set count in device request for CDI");
  }
}

/** Applies the edits of all requested devices to `spec`. Throws "invalid" where one is not described, or not there. */
export function injectDevices(spec: RuntimeSpec, requests: readonly DeviceRequest[], folders = cdiFolders): void {
  if (requests.length === 0) return;
  const names = new Set(
    requests.flatMap((request) => (request.Driver === "cdi" ? (request.DeviceIDs ?? []) : gpuNames(request, folders))),
  );
  const { devices, faults } = readCdiDevices(folders);
  const missing = [...names].filter((name) => !devices.has(name));
  if (missing.length > 0) {
    const why = faults.length > 0 ? ` (${faults.join("; ")})` : "";
    const message = `CDI device injection failed: unresolvable CDI devices ${missing.join(", ")}${why}`;
    throw new EngineError("invalid", message);
  }
  const files = new Set<string>();
  for (const name of names) {
    const device = devices.get(name);
    if (device === undefined) continue;
    if (!files.has(device.file)) applyEdits(spec, device.shared);
    files.add(device.file);
    applyEdits(spec, device.edits);
  }
}

/** NVIDIA's devices as its toolkit names them in their files. */
function gpuNames({ Driver, Capabilities, Count, DeviceIDs }: DeviceRequest, folders: readonly string[]): string[] {
  const sets = Capabilities ?? [];
  const isGpu =
    (Driver === "" || Driver === "nvidia") &&
    (Driver === "nvidia" && sets.length === 0
      ? true
      : sets.some((all) => (all ?? []).every((one) => GPU_CAPABILITIES.has(one))));
  if (!isGpu || ![...readCdiDevices(folders).devices.keys()].some((name) => name.startsWith(`${GPU}=`))) {
    const wanted = sets.map((set) => `[${(set ?? []).join(" ")}]`).join(" ");
    const message = `could not select device driver ${JSON.stringify(Driver)} with capabilities: [${wanted}]`;
    throw new EngineError("invalid", message);
  }
  if (DeviceIDs?.length && Count !== 0) {
    throw new EngineError("invalid", "cannot set both Count and DeviceIDs on device request");
  }
  if (DeviceIDs?.length) return DeviceIDs.map((id) => `${GPU}=${id}`);
  if (Count < 0) return [`${GPU}=all`];
  return Array.from({ length: Count }, (_, index) => `${GPU}=${index}`);
}

function applyEdits(spec: RuntimeSpec, edits: ContainerEdits): void {
  for (const entry of edits.env) {
    const key = entry.slice(0, entry.indexOf("=") + 1);
    spec.process.env = [...spec.process.env.filter((other) => !other.startsWith(key)), entry];
  }
  for (const node of edits.deviceNodes) {
    const device = deviceOf(node);
    spec.linux.devices = [...spec.linux.devices.filter(({ path }) => path !== device.path), device];
    if (device.type !== "b" && device.type !== "c") continue;
    const { type, major, minor } = device;
    spec.linux.resources.devices.push({ allow: true, type, major, minor, access: node.permissions || "rwm" });
  }
  for (const { hostPath, containerPath, options, type } of edits.mounts) {
    const isBind = options.some((option) => option === "bind" || option === "rbind");
    const bound = type === "" && !isBind ? ["rbind", ...options] : options;
    spec.mounts.push({ destination: containerPath, source: hostPath, type: type || "bind", options: bound });
  }
  for (const { hookName, ...hook } of edits.hooks) {
    spec.hooks ??= {};
    (spec.hooks[hookName] ??= []).push(hook);
  }
  const { user } = spec.process;
  user.additionalGids = [...new Set([...user.additionalGids, ...edits.additionalGids.filter((gid) => gid !== 0)])];
}

/** What the file leaves open is as the host has it. */
function deviceOf(node: CdiDeviceNode): DeviceSpec {
  const { path, hostPath = path, type, major, minor, fileMode, uid, gid } = node;
  const owner = {
    ...(fileMode !== undefined && { fileMode }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  };
  if (type === "p") return { path, type, major: 0, minor: 0, ...owner };
  if (type !== undefined && major !== undefined && minor !== undefined) return { path, type, major, minor, ...owner };
  try {
    const stat = lstatSync(hostPath);
    const found = stat.isBlockDevice() ? "b" : stat.isCharacterDevice() ? "c" : undefined;
    if (found === undefined || (type !== undefined && type !== "u" && type !== found)) {
      throw new Error(`${hostPath} is not the device that is described`);
    }
    return { path, type: found, ...splitDevice(stat.rdev), ...owner };
  } catch (cause) {
    throw new EngineError("invalid", `CDI device injection failed: ${errorMessage(cause)}`, { cause });
  }
}
