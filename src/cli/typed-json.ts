/** Gives the JSON of inspect the types that Go's client knows, which templates can tell apart. */
import { nilMap, nilSlice, type Value } from "./template/value.ts";

/** Fields that are maps: everything else in braces is a struct. */
const mapFields = new Set([
  "Annotations",
  "AuxiliaryAddresses",
  "Containers",
  "Data",
  "DriverOpts",
  "ExposedPorts",
  "Labels",
  "Networks",
  "Options",
  "PortBindings",
  "Ports",
  "StorageOpt",
  "Sysctls",
  "Tmpfs",
  "Volumes",
]);

/** Fields that are pointers, so that their null is nil and not an empty list. */
const pointerFields = new Set([
  "BindOptions",
  "DriverConfig",
  "Healthcheck",
  "IPAMConfig",
  "ImageOptions",
  "Init",
  "MemorySwappiness",
  "OomKillDisable",
  "PidsLimit",
  "StopTimeout",
  "TmpfsOptions",
  "VolumeOptions",
]);

/** What the daemon leaves out when it is empty, by the field that holds the struct; "" is the object itself. */
const optionalFields: Readonly<Record<string, Readonly<Record<string, Value>>>> = {
  "": { SizeRw: null, SizeRootFs: null, Variant: "", OsVersion: "" },
  State: { Health: null },
  Config: {
    ExposedPorts: nilMap,
    ArgsEscaped: false,
    Healthcheck: null,
    NetworkDisabled: false,
    MacAddress: "",
    StopSignal: "",
    StopTimeout: null,
    Shell: nilSlice,
  },
  HostConfig: {
    Annotations: nilMap,
    StorageOpt: nilMap,
    Tmpfs: nilMap,
    Sysctls: nilMap,
    Runtime: "",
    Mounts: nilSlice,
    Init: null,
  },
  Mounts: { Name: "", Driver: "" },
  RootFS: { Layers: nilSlice },
};

/**
 * Turns maps into Map and null into the nil of the field's type. Fields that were left out can be read, as zero
 * values, but are not listed. `field` is where the value stands.
 */
export function typed(value: Value, field = ""): Value {
  if (value === null) return mapFields.has(field) ? nilMap : pointerFields.has(field) ? null : nilSlice;
  if (Array.isArray(value)) return value.map((item: Value) => typed(item, field));
  if (typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, item]): [string, Value] => [key, typed(item, key)]);
  if (mapFields.has(field)) return new Map(entries);
  const struct = Object.fromEntries(entries);
  for (const [key, zero] of Object.entries(optionalFields[field] ?? {})) {
    if (!Object.hasOwn(struct, key)) Object.defineProperty(struct, key, { value: zero, enumerable: false });
  }
  return struct;
}
