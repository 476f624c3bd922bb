/** Reads the files in which vendors describe their devices (Container Device Interface, SPEC.md 1.0). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { errorMessage } from "#lib/errors.ts";

/** What is looked at, least important first: what a later folder says of a device counts. */
export const cdiFolders: readonly string[] = ["/etc/cdi", "/var/run/cdi"];

const deviceNode = z.object({
  path: z.string().startsWith("/"),
  hostPath: z.string().optional(),
  type: z.enum(["b", "c", "u", "p"]).optional(),
  major: z.int().optional(),
  minor: z.int().optional(),
  fileMode: z.int().optional(),
  permissions: z
    .string()
    .regex(/^[rwm]*$/)
    .optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
});

const mount = z.object({
  hostPath: z.string().min(1),
  containerPath: z.string().min(1),
  options: z.array(z.string()).default([]),
  type: z.string().default(""),
});

const hook = z.object({
  hookName: z.enum(["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]),
  path: z.string().min(1),
  args: z.array(z.string()).optional(),
  env: z.array(z.string()).optional(),
  timeout: z.int().optional(),
});

// Strict: what would be left out silently could be what keeps a device safe.
const edits = z.strictObject({
  env: z.array(z.string().regex(/^[^=]+=/)).default([]),
  deviceNodes: z.array(deviceNode).default([]),
  mounts: z.array(mount).default([]),
  hooks: z.array(hook).default([]),
  additionalGids: z.array(z.int().nonnegative()).default([]),
});

const name = /^[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?$/;

const file = z.object({
  cdiVersion: z.string().regex(/^(0\.[3-9]\.0|1\.\d+\.\d+)$/),
  kind: z.string().regex(/^[A-Za-z]([\w.-]*[A-Za-z0-9])?\/[A-Za-z]([\w.-]*[A-Za-z0-9])?$/),
  devices: z.array(z.object({ name: z.string().regex(name), containerEdits: edits })).min(1),
  containerEdits: edits.prefault({}),
});

export type ContainerEdits = z.infer<typeof edits>;
export type CdiDeviceNode = z.infer<typeof deviceNode>;

/** One device, with the edits that its file wants for all of its devices. */
export interface CdiDevice {
  readonly name: string;
  readonly file: string;
  readonly edits: ContainerEdits;
  readonly shared: ContainerEdits;
}

/**
 * All devices by their full names (`vendor.com/class=name`). Files that are none are left out, with the reason in
 * `faults`; so are devices that two files of one folder describe.
 */
export function readCdiDevices(folders = cdiFolders): { devices: Map<string, CdiDevice>; faults: string[] } {
  const devices = new Map<string, CdiDevice>();
  const faults: string[] = [];
  for (const folder of folders) {
    const found = new Map<string, CdiDevice | undefined>();
    for (const path of specFiles(folder)) {
      try {
        for (const device of readFile(path)) {
          const other = found.get(device.name);
          if (other !== undefined) faults.push(`conflicting device ${device.name} (in ${other.file} and ${path})`);
          found.set(device.name, found.has(device.name) ? undefined : device);
        }
      } catch (error) {
        faults.push(`${path}: ${error instanceof z.ZodError ? z.prettifyError(error) : errorMessage(error)}`);
      }
    }
    for (const [full, device] of found) {
      if (device === undefined) devices.delete(full);
      else devices.set(full, device);
    }
  }
  return { devices, faults };
}

function readFile(path: string): CdiDevice[] {
  const text = readFileSync(path, "utf8");
  const { kind, devices, containerEdits } = file.parse(
    path.endsWith(".json") ? JSON.parse(text) : Bun.YAML.parse(text),
  );
  return devices.map((device) => ({
    name: `${kind}=${device.name}`,
    file: path,
    edits: device.containerEdits,
    shared: containerEdits,
  }));
}

/** In order; none where there is no such folder. */
function specFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((entry) => /\.(json|ya?ml)$/.test(entry))
      .toSorted()
      .map((entry) => join(folder, entry));
  } catch {
    return [];
  }
}
