/** Image references: the grammar of distribution/reference, with Docker's short ("familiar") names. */
import { EngineError } from "#lib/errors.ts";
import { type Digest, parseDigest } from "./digest.ts";

/** A normalised reference: `domain/path[:tag][@digest]`. */
export interface Reference {
  /** Host, or host:port; `docker.io` for names without one. */
  readonly domain: string;
  /** Path below the domain; `library/` is put before one-word names of docker.io. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const defaultDomain = "docker.io";
export const defaultTag = "latest";
const officialPrefix = "library/";
const maximumNameLength = 255;

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const domainLabel = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domainName = `${domainLabel}(?:\\.${domainLabel})*`;
const domain = `(?:${domainName}|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const remote = `${component}(?:/${component})*`;
const tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";

const referencePattern = new RegExp(`^(?:(${domain})/)?(${remote})(?::(${tag}))?(?:@(${digest}))?$`);
const identifierPattern = /^[a-f0-9]{64}$/;

/**
 * Reads a name as users type it (`busybox`, `ghcr.io/a/b:1`, `localhost:5000/x@sha256:…`).
 *
 * Throws kind "invalid" with distribution's words: "invalid reference format", "… repository name (…) must be
 * lowercase", "repository name must not be longer than 255 characters", "invalid reference format: …".
 */
export function parseReference(text: string): Reference {
  if (identifierPattern.test(text)) {
    throw new EngineError("invalid", `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { domain: host, rest } = splitDomain(text);
  const nameEnd = rest.search(/[:@]/);
  const name = nameEnd < 0 ? rest : rest.slice(0, nameEnd);
  if (name !== name.toLowerCase()) {
    throw new EngineError("invalid", `invalid reference format: repository name (${name}) must be lowercase`);
  }
  const match = referencePattern.exec(`${host}/${rest}`);
  if (match === null || match[1] === undefined || match[2] === undefined) {
    throw new EngineError("invalid", "invalid reference format");
  }
  if (match[2].length > maximumNameLength) {
    throw new EngineError("invalid", `repository name must not be longer than ${maximumNameLength} characters`);
  }
  return {
    domain: match[1],
    path: match[2],
    ...(match[3] !== undefined && { tag: match[3] }),
    ...(match[4] !== undefined && { digest: parseDigest(match[4]) }),
  };
}

/** As distribution's splitDockerDomain: the first part is a host only if it looks like one. */
function splitDomain(text: string): { domain: string; rest: string } {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const looksLikeHost = slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first);
  let host = looksLikeHost ? first : defaultDomain;
  let rest = looksLikeHost ? text.slice(slash + 1) : text;
  if (host === "index.docker.io") host = defaultDomain;
  if (host === defaultDomain && !rest.includes("/")) rest = officialPrefix + rest;
  return { domain: host, rest };
}

/** Adds `latest` where there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: defaultTag };
}

/** `docker.io/library/busybox`, without tag or digest. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** `busybox`, without tag or digest: the name as people write it. */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return repositoryName(reference);
  const official =
    reference.path.startsWith(officialPrefix) && !reference.path.slice(officialPrefix.length).includes("/");
  return official ? reference.path.slice(officialPrefix.length) : reference.path;
}

/** `busybox:latest`, `ghcr.io/a/b@sha256:…`. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** `docker.io/library/busybox:latest`. */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

function suffix({ tag: name, digest: content }: Reference): string {
  return (name === undefined ? "" : `:${name}`) + (content === undefined ? "" : `@${content}`);
}
