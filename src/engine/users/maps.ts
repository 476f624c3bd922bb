/** Which ids of the host stand behind those of a container: the daemon's remapping and the pool of `--userns=auto`. */
import { EngineError } from "#lib/errors.ts";
import type { IdMap, IdRange } from "#linux/id-map.ts";
import { HOST_ROOT_ON_DISK } from "#linux/user-namespace.ts";
import { DEFAULT_SIZE, parseUsernsMode, type UsernsMode } from "./mode.ts";
import { hostFiles, type Span, type SubordinateFiles, subordinateSpans } from "./subordinate.ts";

export interface UsersOptions {
  /** `--userns-remap`: `default`, `auto`, or USER[:GROUP]. Empty is off. */
  remap?: string;
  /** `--userns-pool`: a user of /etc/subuid and /etc/subgid, or FIRST:COUNT. Empty is our own choice. */
  pool?: string;
}

/** Where nothing is configured: ids that systemd, distributions and login tools leave alone. */
const POOL: Span = { start: 0x7000_0000, size: 0x0f00_0000 };
/** Whose subordinate ids `--userns-remap default` takes, where the host has such a user. */
const REMAP_USER = "dockremap";
const POOL_USER = "containers";

export class UserMaps {
  /** For containers that say nothing. */
  readonly byDefault: "host" | "remap" | "auto";
  readonly #remap: IdMap | undefined;
  readonly #pool: readonly Span[];

  /** Throws "invalid" where a user has no subordinate ids. */
  constructor({ remap = "", pool = "" }: UsersOptions, files: SubordinateFiles = hostFiles) {
    this.#pool = poolSpans(pool, files);
    this.byDefault = remap === "" ? "host" : remap === "auto" ? "auto" : "remap";
    if (this.byDefault === "remap") this.#remap = remapping(remap, files, this.#pool);
  }

  /** What a mode comes to. Throws "invalid" for an unknown one. */
  resolve(text: string): Exclude<UsernsMode, { kind: "default" }> | { kind: "remap" } {
    const mode = parseUsernsMode(text);
    if (mode.kind !== "default") return mode;
    return this.byDefault === "auto" ? { kind: "auto", size: DEFAULT_SIZE } : { kind: this.byDefault };
  }

  /** The map of a container; undefined where it has no user namespace of its own. `span` is what `take` gave it. */
  map(mode: string, span: Span | undefined): IdMap | undefined {
    const { kind } = this.resolve(mode);
    switch (kind) {
      case "host":
        return undefined;
      case "remap":
        return this.#remap;
      case "auto":
      case "keep": {
        if (span === undefined) throw new EngineError("internal", `a container with --userns=${mode} has no ids`);
        const ranges = kind === "keep" ? keeping(span.start) : [{ inside: 0, outside: span.start, size: span.size }];
        return { uids: ranges, gids: ranges };
      }
    }
  }

  /** Ids that are not in `taken`, nor those of the remapping. Throws "unavailable" where the pool is used up. */
  take(size: number, taken: readonly Span[]): Span {
    const used = [...taken, ...[...(this.#remap?.uids ?? []), ...(this.#remap?.gids ?? [])].map(outer)];
    for (const span of this.#pool) {
      let start = span.start;
      for (const other of used.toSorted((a, b) => a.start - b.start)) {
        if (other.start >= start + size) break;
        start = Math.max(start, other.start + other.size);
      }
      if (start + size <= span.start + span.size) return { start, size };
    }
    const message = `no ${size} ids are left for a user namespace: remove containers or enlarge the pool (--userns-pool)`;
    throw new EngineError("unavailable", message);
  }
}

/** Host root's own id would carry what the kernel gives to that id alone: most of /proc/sys, for one. */
function keeping(root: number): IdRange[] {
  return [
    { inside: 0, outside: root, size: 1 },
    { inside: 1, outside: 1, size: root - 1 },
    { inside: root + 1, outside: root + 1, size: HOST_ROOT_ON_DISK - root - 1 },
  ];
}

function outer({ outside, size }: IdRange): Span {
  return { start: outside, size };
}

/** As Docker: all ranges of the user one after the other. */
function remapping(text: string, files: SubordinateFiles, pool: readonly Span[]): IdMap {
  if (text === "default") {
    const uids = subordinateSpans(files.subuid, REMAP_USER, files.passwd);
    const gids = subordinateSpans(files.subgid, REMAP_USER, files.group);
    if (uids.length > 0 && gids.length > 0) return { uids: stack(uids), gids: stack(gids) };
    const first = { start: pool[0]?.start ?? POOL.start, size: DEFAULT_SIZE };
    return { uids: stack([first]), gids: stack([first]) };
  }
  const [user = "", group = user, ...rest] = text.split(":");
  if (user === "" || group === "" || rest.length > 0) {
    throw new EngineError("invalid", `invalid value "${text}" for --userns-remap: it must be USER[:GROUP]`);
  }
  const uids = subordinateSpans(files.subuid, user, files.passwd);
  if (uids.length === 0) throw noIds("uid", "user", user);
  const gids = subordinateSpans(files.subgid, group, files.group);
  if (gids.length === 0) throw noIds("gid", "group", group);
  return { uids: stack(uids), gids: stack(gids) };
}

function noIds(kind: "uid" | "gid", what: "user" | "group", name: string): EngineError {
  return new EngineError("invalid", `Can't create ID mappings: no sub${kind} ranges found for ${what} "${name}"`);
}

function stack(spans: readonly Span[]): IdRange[] {
  let inside = 0;
  return spans.map(({ start, size }) => {
    const range = { inside, outside: start, size };
    inside += size;
    return range;
  });
}

/** A container's ids are one range for users and groups: those that both files have. */
function poolSpans(text: string, files: SubordinateFiles): Span[] {
  const [, first, count] = /^(\d+):(\d+)$/.exec(text) ?? [];
  if (first !== undefined) {
    const span = { start: Number(first), size: Number(count) };
    const last = span.start + span.size;
    if (span.start > 1 && span.size > 0 && last < HOST_ROOT_ON_DISK) return [span];
    throw new EngineError(
      "invalid",
      `invalid value "${text}" for --userns-pool: ids are 2 to ${HOST_ROOT_ON_DISK - 2}`,
    );
  }
  const user = text || POOL_USER;
  const uids = subordinateSpans(files.subuid, user, files.passwd);
  const gids = subordinateSpans(files.subgid, user, files.passwd);
  const both = uids.flatMap((uid) =>
    gids.flatMap((gid): Span[] => {
      const start = Math.max(uid.start, gid.start);
      const size = Math.min(uid.start + uid.size, gid.start + gid.size) - start;
      return size > 0 ? [{ start, size }] : [];
    }),
  );
  if (both.length > 0) return both;
  if (text === "") return [POOL];
  throw new EngineError("invalid", `Can't create ID mappings: no subuid and subgid ranges found for user "${user}"`);
}
