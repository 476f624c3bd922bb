/** The first file of a volume's backup: what it is a backup of. */
import { z } from "zod";
import type { Volume } from "#api/types/volume.ts";
import { EngineError } from "#lib/errors.ts";

const format = "berth volume backup";
/** Of what this program writes; it reads this one and all before. */
const version = 1;

interface BackupManifest {
  readonly volume: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly driver: string;
  /** Of the driver: they may name what another host lacks, and are for people to read. */
  readonly options: Readonly<Record<string, string>>;
  /** RFC 3339, in UTC. */
  readonly created: string;
}

const textMap = z.record(z.string(), z.string());
const schema = z.object({
  format: z.literal(format),
  version: z.number(),
  volume: z.string(),
  labels: textMap,
  driver: z.string(),
  options: textMap,
  created: z.string(),
});

/** The file's text. */
export function writeManifest({ Name, Labels, Driver, Options }: Volume, now: Date): string {
  const manifest: BackupManifest = {
    volume: Name,
    labels: Labels ?? {},
    driver: Driver,
    options: Options ?? {},
    created: now.toISOString(),
  };
  return `${JSON.stringify({ format, version, ...manifest }, undefined, 2)}\n`;
}

/** Throws "invalid" for the manifest of something else, or of a newer program. */
export function readManifest(text: string): BackupManifest {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw new EngineError("invalid", "this is no backup of a volume: its manifest is another one");
  const { version: written, format: _, ...manifest } = parsed.data;
  if (written > version) {
    throw new EngineError("invalid", `the backup was written by a newer Berth (its format is version ${written})`);
  }
  return manifest;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
