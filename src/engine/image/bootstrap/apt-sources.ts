/** Where the host's own apt takes a distribution from (sources.list(5), both forms): images are made from the same place. */
import { join } from "node:path";
import { namesIn, textOf } from "#lib/absent.ts";
import type { Suite } from "./distribution.ts";
import { parseStanza, parseStanzas } from "./stanza.ts";

export interface AptSource {
  /** http or https, without a slash at the end. */
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** Path of a keyring on the host. */
  readonly signedBy?: string;
  /** The administrator vouches for it without a signature. */
  readonly trusted: boolean;
}

/** Everything that `/etc/apt` (or `folder`) names as a source of binary packages by http. */
export function readAptSources(folder = "/etc/apt"): AptSource[] {
  const parts = join(folder, "sources.list.d");
  const files = [
    join(folder, "sources.list"),
    ...namesIn(parts)
      .toSorted()
      .map((name) => join(parts, name)),
  ];
  return files.flatMap((file) => {
    const text = textOf(file);
    return file.endsWith(".sources") ? parseDeb822(text) : file.endsWith(".list") ? parseLines(text) : [];
  });
}

/** The source of the suite itself, else of the release that the host runs: its mirror has the other suites too. */
export function sourceOf(
  suite: Suite,
  sources: readonly AptSource[],
  osRelease = textOf("/etc/os-release"),
): { main?: AptSource; security?: AptSource } {
  const host = parseStanza(osRelease.replaceAll("=", ": ").replaceAll('"', ""));
  const release = host.get("id") === suite.distribution.id ? host.get("version_codename") : undefined;
  const usable = sources.filter(({ components }) => components.includes("main"));
  for (const name of [suite.name, release]) {
    const main = usable.find((source) => source.suite === name);
    const security = usable.find((source) => source.suite === `${name}-security`);
    if (name !== undefined && main !== undefined) return { main, ...(security !== undefined && { security }) };
  }
  return {};
}

function parseLines(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (match === null) return [];
    const options = new Map((match[1] ?? "").split(/\s+/).map((word) => splitOption(word)));
    return describe(
      [match[2] ?? ""],
      [match[3] ?? ""],
      words(match[4]),
      options.get("signed-by"),
      options.get("trusted"),
    );
  });
}

function splitOption(word: string): [string, string] {
  const [name = "", value = ""] = word.split("=");
  return [name, value];
}

function parseDeb822(text: string): AptSource[] {
  return parseStanzas(text).flatMap((fields) => {
    if (!words(fields.get("types")).includes("deb") || /^(no|false|0)$/i.test(fields.get("enabled") ?? "")) return [];
    return describe(
      words(fields.get("uris")),
      words(fields.get("suites")),
      words(fields.get("components")),
      fields.get("signed-by"),
      fields.get("trusted"),
    );
  });
}

function describe(
  uris: readonly string[],
  suites: readonly string[],
  components: readonly string[],
  signedBy = "",
  trusted = "",
): AptSource[] {
  return uris
    .filter((uri) => /^https?:\/\//.test(uri))
    .flatMap((uri) =>
      suites.map((suite) => ({
        uri: uri.replace(/\/+$/, ""),
        suite,
        components,
        ...(/^\/\S+$/.test(signedBy) && { signedBy }),
        trusted: trusted === "yes",
      })),
    );
}

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
