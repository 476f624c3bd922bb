/** Platforms: parsing `os/arch/variant`, the spellings that mean the same, and which of several an image host can run. */
import { EngineError } from "#lib/errors.ts";
import { isRecord, optionalString, stringsOf } from "./json.ts";

/** OCI image-spec "Image Index", member `platform`; architectures are GOARCH names. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

const architectureNames: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  i386: ["386"],
  i686: ["386"],
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  ia32: ["386"],
};

/** One spelling for each platform: `linux/aarch64/v8` → `linux/arm64`, `linux/arm` → `linux/arm/v7`. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase() === "macos" ? "darwin" : platform.os.toLowerCase();
  let architecture = platform.architecture.toLowerCase();
  let variant = platform.variant?.toLowerCase();
  const alias = architectureNames[architecture];
  if (alias !== undefined) {
    architecture = alias[0];
    variant = alias[1] ?? variant;
  }
  if (architecture === "amd64" && variant === "v1") variant = undefined;
  if (architecture === "arm64" && (variant === "8" || variant === "v8")) variant = undefined;
  if (architecture === "arm") {
    if (variant === undefined || variant === "") variant = "v7";
    else if (/^[5-8]$/.test(variant)) variant = `v${variant}`;
  }
  return {
    os,
    architecture,
    ...(variant !== undefined && variant !== "" && { variant }),
    ...(platform["os.version"] !== undefined && { "os.version": platform["os.version"] }),
    ...(platform["os.features"] !== undefined && { "os.features": platform["os.features"] }),
  };
}

const knownOs: ReadonlySet<string> = new Set(
  "aix android darwin dragonfly freebsd hurd illumos ios js nacl netbsd openbsd plan9 solaris wasip1 windows zos linux macos".split(
    " ",
  ),
);
const knownArchitectures: ReadonlySet<string> = new Set(
  (
    "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 " +
    "mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm"
  ).split(" "),
);

/**
 * Reads `os`, `arch`, `os/arch` or `os/arch/variant`; what is left out is the host's.
 * Throws kind "invalid" for anything else.
 */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.trim().split("/");
  const invalid = (why: string): EngineError =>
    new EngineError("invalid", `${JSON.stringify(text)}: ${why}: invalid argument`);
  if (parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) {
    throw invalid('invalid platform specifier component: must match "^[A-Za-z0-9_.-]+$"');
  }
  const [first = "", second, variant] = parts;
  if (parts.length === 1) {
    if (knownOs.has(first.toLowerCase())) {
      return normalizePlatform({ ...host, os: first });
    }
    const named = normalizePlatform({ os: host.os, architecture: first });
    if (knownArchitectures.has(named.architecture)) return named;
    throw invalid("unknown operating system or architecture");
  }
  if (parts.length > 3 || second === undefined) throw invalid("cannot parse platform specifier");
  return normalizePlatform({ os: first, architecture: second, ...(variant !== undefined && { variant }) });
}

/** `linux/arm/v7`; no variant, no second slash. */
export function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  return platform.variant === undefined || platform.variant === "" ? base : `${base}/${platform.variant}`;
}

/** A descriptor's or config's platform members; absent where neither OS nor architecture is given. */
export function parsePlatformObject(value: unknown): Platform | undefined {
  if (!isRecord(value)) return undefined;
  const os = optionalString(value["os"]);
  const architecture = optionalString(value["architecture"]);
  if (os === undefined && architecture === undefined) return undefined;
  const variant = optionalString(value["variant"]);
  const version = optionalString(value["os.version"]);
  const features = stringsOf(value["os.features"]);
  return {
    os: os ?? "",
    architecture: architecture ?? "",
    ...(variant !== undefined && { variant }),
    ...(version !== undefined && { "os.version": version }),
    ...(features !== undefined && { "os.features": features }),
  };
}

const hostArchitectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  arm: "arm",
  arm64: "arm64",
  ppc64: "ppc64le",
  s390x: "s390x",
  riscv64: "riscv64",
};

/** What this program runs on. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: "linux", architecture: hostArchitectures[process.arch] ?? process.arch });
}

/**
 * How well `candidate` serves a wish for `wanted`: 0 is exact, larger is worse, undefined is not at all.
 * An older arm or amd64 variant runs on a newer one; arm64 runs arm; amd64 runs 386.
 */
export function platformRank(wanted: Platform, candidate: Platform): number | undefined {
  const want = normalizePlatform(wanted);
  const have = normalizePlatform(candidate);
  if (want.os !== have.os) return undefined;
  if (want.architecture === have.architecture) {
    const older = variantNumber(want) - variantNumber(have);
    if (want.variant === have.variant) return 0;
    return older >= 0 ? older : undefined;
  }
  if (want.architecture === "arm64" && want.variant === undefined && have.architecture === "arm") {
    return 10 + (8 - variantNumber(have));
  }
  if (want.architecture === "amd64" && want.variant === undefined && have.architecture === "386") return 20;
  return undefined;
}

function variantNumber(platform: Platform): number {
  const match = /^v(\d+)/.exec(platform.variant ?? "");
  if (match !== null) return Number(match[1]);
  return platform.architecture === "arm64" ? 8 : platform.architecture === "arm" ? 7 : 1;
}

/** The best of `candidates` for `wanted`, the first among equals; undefined where none serves. */
export function choosePlatform<T extends { readonly platform?: Platform }>(
  wanted: Platform,
  candidates: readonly T[],
): T | undefined {
  let best: { rank: number; candidate: T } | undefined;
  for (const candidate of candidates) {
    if (candidate.platform === undefined) continue;
    const rank = platformRank(wanted, candidate.platform);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { rank, candidate };
  }
  return best?.candidate;
}
