import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReference } from "#oci/reference.ts";
import { readAptSources, sourceOf } from "./apt-sources.ts";
import { parseSuite, type Suite } from "./distribution.ts";

function suiteOf(name: string): Suite {
  const suite = parseSuite(parseReference(name));
  if (suite === undefined) throw new Error(`${name} is no suite`);
  return suite;
}

const lines = `# comment
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/x.gpg] https://packages.example/debian bookworm stable
deb [trusted=yes] http://mirror.example/debian/ bookworm main contrib # ours
deb http://mirror.example/debian-security bookworm-security main
deb cdrom:[Debian]/ bookworm main
`;

const stanzas = `Types: deb deb-src
URIs: http://other.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main
`;

test("the host's own sources say where the suite comes from", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-apt-"));
  try {
    mkdirSync(join(folder, "sources.list.d"));
    writeFileSync(join(folder, "sources.list"), lines);
    writeFileSync(join(folder, "sources.list.d/other.sources"), stanzas);
    writeFileSync(join(folder, "sources.list.d/notes.txt"), lines);
    const sources = readAptSources(folder);
    const host = 'ID=debian\nVERSION_CODENAME="bookworm"\n';
    const bookworm = sourceOf(suiteOf("debian:12"), sources, host);
    expect(bookworm.main).toMatchObject({ uri: "http://mirror.example/debian", trusted: true });
    expect(bookworm.security?.uri).toBe("http://mirror.example/debian-security");
    const trixie = sourceOf(suiteOf("debian:trixie"), sources, host);
    expect(trixie.main).toMatchObject({
      uri: "http://other.example/debian",
      signedBy: "/usr/share/keyrings/debian-archive-keyring.gpg",
      trusted: false,
    });
    // The mirror of the release that the host runs has the other suites too.
    expect(sourceOf(suiteOf("debian:sid"), sources, host).main?.uri).toBe("http://mirror.example/debian");
    expect(sourceOf(suiteOf("debian:sid"), sources, "ID=ubuntu\nVERSION_CODENAME=noble\n")).toEqual({});
    expect(sourceOf(suiteOf("ubuntu:noble"), sources, host)).toEqual({});
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a host without apt names no source", () => {
  expect(readAptSources("/nonexistent")).toEqual([]);
});

test("tags are suites, or versions of them", () => {
  expect(suiteOf("debian:12")).toMatchObject({ name: "bookworm", slim: false });
  expect(suiteOf("debian:trixie-slim")).toMatchObject({ name: "trixie", slim: true });
  expect(suiteOf("debian")).toMatchObject({ name: "stable" });
  expect(suiteOf("ubuntu:24.04")).toMatchObject({ name: "noble" });
  expect(parseSuite(parseReference("alpine:3"))).toBeUndefined();
  expect(() => suiteOf("debian:3.14")).toThrow("debian has no suite 3.14");
  expect(() => suiteOf("ubuntu:noble-slim")).toThrow("ubuntu has no suite");
});
