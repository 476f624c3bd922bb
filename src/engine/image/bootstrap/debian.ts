/** The root file system of a Debian or Ubuntu image, from the packages of a mirror; nothing of the host's own dpkg is used. */
import { lutimesSync, mkdirSync, symlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { unpackArchive } from "#linux/helper-client.ts";
import { Limit } from "../limit.ts";
import { layerProgress } from "../progress.ts";
import type { Progress } from "../types.ts";
import { type AptSource, readAptSources, sourceOf } from "./apt-sources.ts";
import { type Archive, openArchive, readPackageList } from "./archive.ts";
import { configurationScript, packageFolder, scriptEnvironment } from "./configure.ts";
import { dataMember } from "./deb.ts";
import type { Suite } from "./distribution.ts";
import { type Package, PackageIndex } from "./packages.ts";
import { withDependencies } from "./resolve.ts";
import { runInTree, type SandboxHost } from "./sandbox.ts";

const parallelDownloads = 8;
/** Hidden from the script that sets all other times. */
const mountPoints = ["dev", "proc", "sys"];

export interface MadeRootfs {
  readonly path: string;
  /** Seconds since the epoch: of the newest package list used. The same lists give the same tree. */
  readonly date: number;
}

/** Works in the empty folder `work`. Rejects "unavailable" naming the mirror, "invalid" for a suite it lacks. */
export async function debianRootfs(
  host: SandboxHost,
  suite: Suite,
  mirror: string | undefined,
  work: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<MadeRootfs> {
  const archives = await openArchives(suite, mirror, work, progress, signal);
  progress({ status: "Reading package lists" });
  const index = await readIndex(archives, suite, work, signal);
  const required = withDependencies(index, [...index.base(), ...optional(index, ["usr-is-merged"])]);
  // A mirror behind TLS is of no use without certificates.
  const https = archives.some(({ mirror: { base } }) => base.startsWith("https:"));
  const others = withDependencies(index, ["apt", ...(https ? ["ca-certificates"] : [])], required).filter(
    ({ name }) => !required.some((item) => item.name === name),
  );
  const packages = join(work, "packages");
  mkdirSync(packages);
  const rootfs = join(work, "rootfs");
  makeRoot(rootfs, suite);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const downloads = download([...required, ...others], packages, progress, either);
  let failure: { reason: unknown } | undefined;
  const fail = (reason: unknown): void => {
    failure ??= { reason };
    stop.abort();
  };
  await Promise.all([
    ...[...downloads.values()].map((arrival) => arrival.catch(fail)),
    unpack(required, downloads, rootfs, either).catch(fail),
  ]);
  signal.throwIfAborted();
  if (failure !== undefined) throw failure.reason;
  const date = Math.max(...archives.map((archive) => archive.date));
  await configure(host, suite, { archives, required, others, packages, rootfs, date }, progress, signal);
  return { path: rootfs, date };
}

/** The suite itself, and what its mirror has of updates and security updates. */
async function openArchives(
  suite: Suite,
  mirror: string | undefined,
  work: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Archive[]> {
  const found = mirror === undefined ? sourceOf(suite, readAptSources()) : {};
  const fallback = { uri: mirror ?? suite.distribution.mirror, trusted: false };
  const main: Pick<AptSource, "uri" | "trusted" | "signedBy"> = found.main ?? fallback;
  const near = suite.distribution.security(main.uri);
  const security = found.security ?? (near === undefined ? undefined : { ...main, uri: near });
  progress({ status: `Reading ${suite.name} of ${main.uri}` });
  const open = (source: typeof main, name: string) => openArchive({ suite, source, name, work }, progress, signal);
  const [first, ...more] = await Promise.all([
    open(main, suite.name),
    open(main, `${suite.name}-updates`),
    security === undefined ? undefined : open(security, `${suite.name}-security`),
  ]);
  if (first === undefined) {
    throw new EngineError("invalid", `the mirror ${main.uri} has no suite ${suite.name}`);
  }
  return [first, ...more.filter((archive) => archive !== undefined)];
}

async function readIndex(
  archives: readonly Archive[],
  suite: Suite,
  work: string,
  signal: AbortSignal,
): Promise<PackageIndex<Archive>> {
  const lists = archives.flatMap((archive) =>
    suite.distribution.components.slice(0, 1).map(async (component) => {
      const text = await readPackageList(archive, component, suite.architecture, work, signal);
      return text === undefined ? [] : [{ text, archive }];
    }),
  );
  const all = (await Promise.all(lists)).flat();
  if (all.length === 0) {
    const base = archives[0]?.mirror.base ?? "";
    throw new EngineError("invalid", `the mirror ${base} has no packages of ${suite.name} for ${suite.architecture}`);
  }
  return new PackageIndex(all);
}

function optional(index: PackageIndex<Archive>, names: readonly string[]): string[] {
  return names.filter((name) => index.find(name) !== undefined);
}

/** Each package's file, by its name, as a promise of its arrival. */
function download(
  packages: readonly Package<Archive>[],
  folder: string,
  progress: Progress,
  signal: AbortSignal,
): Map<string, Promise<string>> {
  const limit = new Limit(parallelDownloads);
  const total = packages.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  progress({ status: `Downloading ${packages.length} packages` });
  const fetching = packages.map(({ name, filename, archive, ...promised }) => {
    const target = join(folder, `${name}.deb`);
    const arrival = limit.run(async () => {
      signal.throwIfAborted();
      await archive.mirror.file(filename, target, promised, signal);
      done += promised.size;
      progress(layerProgress("packages", "Downloading", done, total));
      return target;
    });
    arrival.catch(() => {}); // told to whoever awaits it
    return [name, arrival] as const;
  });
  return new Map(fetching);
}

/** With /usr merged, as every supported release wants it; the packages of some still have files in /bin. */
function makeRoot(rootfs: string, suite: Suite): void {
  mkdirSync(rootfs, { mode: 0o755 });
  for (const name of mountPoints) mkdirSync(join(rootfs, name));
  for (const name of ["bin", "sbin", "lib", ...(suite.architecture === "amd64" ? ["lib64"] : [])]) {
    mkdirSync(join(rootfs, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, join(rootfs, name));
  }
}

/** One helper for each run of packages that are compressed alike, fed while the later ones still arrive. */
async function unpack(
  packages: readonly Package<Archive>[],
  downloads: ReadonlyMap<string, Promise<string>>,
  rootfs: string,
  signal: AbortSignal,
): Promise<void> {
  const queue = packages.map(({ name }) => name);
  while (queue.length > 0) {
    let kind: string | undefined;
    const pieces = async function* (): AsyncGenerator<Uint8Array, void> {
      for (let name = queue[0]; name !== undefined; name = queue[0]) {
        const file = (await downloads.get(name)) ?? "";
        const { compression, start, size } = await dataMember(file);
        if (compression !== (kind ??= compression)) return;
        queue.shift();
        await using handle = await open(file, "r");
        yield* handle.createReadStream({
          start,
          end: start + size - 1,
          highWaterMark: 256 * 1024,
        }) as AsyncIterable<Uint8Array>;
      }
    };
    await unpackArchive(
      {
        archive: streamOf(pieces()),
        target: rootfs,
        mode: "plain",
        concatenated: true,
        keepDirectoryLinks: true,
      },
      signal,
    );
  }
}

function streamOf(source: AsyncGenerator<Uint8Array, void>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const next = await source.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await source.return();
    },
  });
}

interface Unpacked {
  readonly archives: readonly Archive[];
  readonly required: readonly Package<Archive>[];
  readonly others: readonly Package<Archive>[];
  readonly packages: string;
  readonly rootfs: string;
  readonly date: number;
}

async function configure(
  host: SandboxHost,
  suite: Suite,
  { archives, required, others, packages, rootfs, date }: Unpacked,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { distribution, slim } = suite;
  const total = required.length + others.length;
  let done = 0;
  const text = configurationScript({
    required: required.map(({ name }) => name),
    others: others.map(({ name }) => name),
    sources: sourceStanzas(archives, distribution.components),
    distribution: distribution.id,
    keyrings: distribution.keyrings,
    slim,
    date,
  });
  progress({ status: `Configuring ${total} packages` });
  const script = {
    rootfs,
    text,
    environment: scriptEnvironment(date),
    mount: { source: packages, destination: packageFolder },
  };
  const onLine = (line: string): void => {
    if (line.startsWith("Setting up ")) progress(layerProgress("packages", "Configuring", ++done, total));
  };
  await runInTree(host, script, onLine, signal);
  for (const name of mountPoints) lutimesSync(join(rootfs, name), date, date);
}

/** One stanza for each mirror. */
function sourceStanzas(archives: readonly Archive[], components: readonly string[]): string {
  return [...Map.groupBy(archives, ({ mirror }) => mirror.base)]
    .map(
      ([base, suites]) =>
        `Types: deb\nURIs: ${base}\nSuites: ${suites.map(({ folder }) => folder.replace("dists/", "")).join(" ")}\n` +
        `Components: ${components.join(" ")}\nSigned-By: @KEYRING@\n`,
    )
    .join("\n");
}
