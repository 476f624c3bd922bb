/** What Debian and Ubuntu differ in, as far as making an image from their packages goes. */
import { EngineError } from "#lib/errors.ts";
import type { Reference } from "#oci/reference.ts";

export interface Distribution {
  readonly id: "debian" | "ubuntu";
  readonly title: string;
  readonly mirror: string;
  /** Files of the host that hold its keys, the first that exists counts; the image's own is at the same place. */
  readonly keyrings: readonly string[];
  readonly keyringPackage: string;
  readonly components: readonly string[];
  /** Of the image's configuration. */
  readonly command: readonly string[];
  /** Names of suites by the versions that images are tagged with. */
  readonly versions: Readonly<Record<string, string>>;
  /** Where the archive with security updates is, next to the main one at `mirror`; undefined where they are the same. */
  security(mirror: string): string | undefined;
}

const debian: Distribution = {
  id: "debian",
  title: "Debian",
  mirror: "http://deb.debian.org/debian",
  keyrings: ["/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"],
  keyringPackage: "debian-archive-keyring",
  components: ["main"],
  command: ["bash"],
  versions: { latest: "stable", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky" },
  security: (mirror) => (/\/debian\/?$/.test(mirror) ? mirror.replace(/\/debian\/?$/, "/debian-security") : undefined),
};

const ubuntu: Distribution = {
  id: "ubuntu",
  title: "Ubuntu",
  mirror: process.arch === "x64" ? "http://archive.ubuntu.com/ubuntu" : "http://ports.ubuntu.com/ubuntu-ports",
  keyrings: ["/usr/share/keyrings/ubuntu-archive-keyring.gpg"],
  keyringPackage: "ubuntu-keyring",
  components: ["main", "universe"],
  command: ["/bin/bash"],
  versions: { latest: "noble", "22.04": "jammy", "24.04": "noble" },
  security: (mirror) => mirror,
};

export interface Suite {
  readonly distribution: Distribution;
  /** As a folder below `dists/`. */
  readonly name: string;
  /** Without documentation and translations. */
  readonly slim: boolean;
  /** Debian's name of this machine's architecture. */
  readonly architecture: string;
}

/** Undefined for a name of neither distribution. Throws "invalid" for a tag that can be no suite. */
export function parseSuite(reference: Reference): Suite | undefined {
  const distribution = [debian, ubuntu].find(({ id }) => reference.path === `library/${id}`);
  if (distribution === undefined) return undefined;
  const tag = reference.tag ?? "latest";
  const [, base = "", slim] = /^(.*?)(-slim)?$/.exec(tag) ?? [];
  const name = distribution.versions[base] ?? base;
  if (!/^[a-z][a-z-]*$/.test(name) || (slim !== undefined && distribution !== debian)) {
    const known = Object.values(distribution.versions).join(", ");
    throw new EngineError("invalid", `${distribution.id} has no suite ${base}: name one such as ${known}`);
  }
  const architectures: Partial<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
  const architecture = architectures[process.arch];
  if (architecture === undefined) {
    throw new EngineError("not-implemented", `cannot make ${distribution.title} images for ${process.arch}`);
  }
  return { distribution, name, slim: slim !== undefined, architecture };
}
