/** Options of the "local" driver (`volume create -o`, `volume-opt=`): a file system to mount, or a bound for the size. */
import type { StringMap } from "#api/types/container-config.ts";
import { parseBytes } from "#lib/bytes.ts";
import { EngineError } from "#lib/errors.ts";

/** What mount(2) gets when the first container uses the volume. */
export interface VolumeSource {
  type: string;
  device: string;
  /** As mount(8) takes them (`o=`). */
  options: string;
}

export interface DriverOptions {
  source?: VolumeSource;
  /** Bytes. */
  size?: number;
}

const KNOWN = ["type", "o", "device", "size"];
/** In Docker's order. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  device: ["type"],
  type: ["device"],
  o: ["device", "type"],
};

/** Throws "invalid", in Docker's words where Docker refuses it too. */
export function parseDriverOptions(options: StringMap): DriverOptions {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) throw new EngineError("invalid", `invalid option: ${JSON.stringify(name)}`);
  }
  const { type, device, o = "", size } = options;
  if (type === "cifs" && device) checkShare(device);
  const bytes = size === undefined ? 0 : sizeOf(size);
  for (const [name, needed] of Object.entries(NEEDED)) {
    const missing = name in options ? needed.find((other) => !(other in options)) : undefined;
    if (missing !== undefined) {
      throw new EngineError("invalid", `missing required option: ${JSON.stringify(missing)}`);
    }
  }
  const source = device || type ? { type: type ?? "", device: device ?? "", options: o } : undefined;
  if (source !== undefined && bytes > 0) {
    throw new EngineError(
      "invalid",
      `the option "size" bounds a volume's own folder, and "device" mounts another file system there: choose one`,
    );
  }
  return { ...(source && { source }), ...(bytes > 0 && { size: bytes }) };
}

function sizeOf(text: string): number {
  try {
    return parseBytes(text);
  } catch (cause) {
    throw new EngineError("invalid", cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The kernel would take the port for a part of the share's name. */
function checkShare(device: string): void {
  if (!/^(?:\w+:)?\/\/(?:\[[^\]]*\]|[^/:]*):\d+(?:\/|$)/.test(device)) return;
  throw new EngineError("invalid", "port not allowed in CIFS device URL, include 'port' in 'o='");
}
