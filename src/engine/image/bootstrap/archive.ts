/** One suite of a package archive: its signed list of contents, and the package list that it names. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { decompressFile } from "#linux/helper-client.ts";
import type { Progress } from "../types.ts";
import type { AptSource } from "./apt-sources.ts";
import type { Suite } from "./distribution.ts";
import { Mirror, type Promised } from "./mirror.ts";
import { findVerifier, type Signed, unverifiedText, verifiedText } from "./signature.ts";
import { parseStanza } from "./stanza.ts";

/** Of a package list, uncompressed. */
const listLimit = 1024 * 1024 * 1024;

export interface Archive {
  readonly mirror: Mirror;
  /** The suite as the archive itself calls it. */
  readonly codename: string;
  /** Seconds since the epoch: when it was published. */
  readonly date: number;
  readonly files: ReadonlyMap<string, Promised>;
  readonly byHash: boolean;
  /** The section in `dists/` that it was read from. */
  readonly folder: string;
}

export interface ArchiveOptions {
  readonly suite: Suite;
  readonly source: Pick<AptSource, "uri" | "trusted" | "signedBy">;
  /** Folder below `dists/`. */
  readonly name: string;
  /** An existing folder for temporary files. */
  readonly work: string;
}

/** Undefined where the mirror has no such suite. Rejects "unavailable" naming the mirror, "forbidden" without a valid signature. */
export async function openArchive(
  { suite, source, name, work }: ArchiveOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<Archive | undefined> {
  const mirror = new Mirror(source.uri);
  const folder = `dists/${name}`;
  const keyring = [source.signedBy ?? "", ...suite.distribution.keyrings].find(
    (path) => path !== "" && existsSync(path),
  );
  const verifier = source.trusted ? undefined : findVerifier();
  let text: string;
  if (verifier !== undefined && keyring !== undefined) {
    const signed = await fetchSigned(mirror, folder, verifier === "sqv", signal);
    if (signed === undefined) return undefined;
    text = await verifiedText(verifier, signed, keyring, `${mirror.base}/${folder}`, work);
  } else {
    const clear = await mirror.document(`${folder}/InRelease`, signal);
    if (clear === undefined) return undefined;
    const why = source.trusted
      ? "this host's apt is told to trust it"
      : verifier === undefined
        ? "this host has neither gpgv nor sqv"
        : `this host has none of its keys: install ${suite.distribution.keyringPackage}`;
    progress({ status: `WARNING: the signature of ${mirror.base} ${name} was not verified: ${why}` });
    text = unverifiedText(clear);
  }
  return describe(text, mirror, folder, progress);
}

async function fetchSigned(
  mirror: Mirror,
  folder: string,
  detached: boolean,
  signal: AbortSignal,
): Promise<Signed | undefined> {
  if (!detached) {
    const clear = await mirror.document(`${folder}/InRelease`, signal);
    return clear && { clear };
  }
  const [text, signature] = await Promise.all([
    mirror.document(`${folder}/Release`, signal),
    mirror.document(`${folder}/Release.gpg`, signal),
  ]);
  return text && signature && { text, signature };
}

function describe(text: string, mirror: Mirror, folder: string, progress: Progress): Archive {
  const fields = parseStanza(text);
  const date = Date.parse(fields.get("date") ?? "");
  if (Number.isNaN(date))
    throw new EngineError("invalid", `${mirror.base}/${folder} is no package archive: it has no date`);
  const expires = Date.parse(fields.get("valid-until") ?? "");
  if (expires < Date.now()) {
    progress({
      status: `WARNING: ${mirror.base}/${folder} expired on ${fields.get("valid-until")}: the mirror is out of date`,
    });
  }
  const files = new Map<string, Promised>();
  for (const line of (fields.get("sha256") ?? "").split("\n")) {
    const [sha256 = "", size = "", path = ""] = line.split(/\s+/);
    if (/^[0-9a-f]{64}$/.test(sha256) && /^\d+$/.test(size)) files.set(path, { sha256, size: Number(size) });
  }
  const byHash = fields.get("acquire-by-hash") === "yes";
  return { mirror, folder, files, byHash, date: date / 1000, codename: fields.get("codename") ?? folder };
}

/** The uncompressed `Packages` of a component; undefined where the archive has none. */
export async function readPackageList(
  archive: Archive,
  component: string,
  architecture: string,
  work: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const stem = `${component}/binary-${architecture}/Packages`;
  for (const ending of [".xz", ".gz"]) {
    const promised = archive.files.get(stem + ending);
    if (promised === undefined) continue;
    const place = archive.byHash
      ? `${component}/binary-${architecture}/by-hash/SHA256/${promised.sha256}`
      : stem + ending;
    const packed = join(work, `${crypto.randomUUID()}${ending}`);
    const plain = `${packed}.txt`;
    await archive.mirror.file(`${archive.folder}/${place}`, packed, promised, signal);
    await decompressFile(packed, plain, listLimit, signal);
    return readFileSync(plain);
  }
  return undefined;
}
