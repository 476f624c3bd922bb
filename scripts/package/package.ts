/**
 * Makes dist/berth_VERSION_ARCH.deb from dist/berth, the units and maintainer scripts in packaging/, completions, and
 * manual pages. The same commit gives the same bytes. `--version V` names another version than the sources do,
 * `--output DIR` another folder.
 */
import { $ } from "bun";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { scripts as completions } from "#cli/system/shells.ts";
import { usage as daemonUsage } from "#daemon/configuration.ts";
import { manualPages } from "./man.ts";

const root = join(import.meta.dir, "../..");
const { values: options } = parseArgs({ options: { version: { type: "string" }, output: { type: "string" } } });
const release = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
const commit = await $`git log -1 --format=%ct%n%cs%n%h`.cwd(root).nothrow().quiet().text();
const [seconds = "0", date = "1970-01-01", hash = "source"] = commit.trim().split("\n");
// Debian Policy 5.6.12: a `+` sorts after the release that it follows.
const version = options.version ?? `${release}+${date.replaceAll("-", "")}.${hash}`;
const architecture = process.arch === "x64" ? "amd64" : process.arch;

const stage = mkdtempSync(join(tmpdir(), "berth-package-"));
try {
  await $`bash -c ". scripts/lib.sh && build_if_changed"`.cwd(root);
  install("usr/bin/berth", readFileSync(join(root, "dist/berth")), 0o755);
  for (const unit of ["berth.service", "berth.socket"]) {
    install(`usr/lib/systemd/system/${unit}`, readFileSync(join(root, "packaging", unit)));
  }
  install("usr/share/bash-completion/completions/berth", completions["bash"] ?? "");
  install("usr/share/zsh/vendor-completions/_berth", completions["zsh"] ?? "");
  install("usr/share/fish/vendor_completions.d/berth.fish", completions["fish"] ?? "");
  for (const { file, text } of await manualPages({ version: release, date, daemonUsage })) {
    install(`usr/share/man/man${file.at(-1)}/${file}.gz`, gzipSync(text, { level: 9 }));
  }
  for (const page of ["compatibility", "images", "networks"]) {
    install(
      `usr/share/doc/berth/${page}.md.gz`,
      gzipSync(readFileSync(join(root, "docs", `${page}.md`)), { level: 9 }),
    );
  }
  install("usr/share/doc/berth/copyright", copyright());
  const installedSize = Math.ceil(Number((await $`du -sk ${stage}`.text()).split("\t")[0]));
  install("DEBIAN/control", control(installedSize));
  for (const script of ["postinst", "prerm", "postrm"]) {
    install(`DEBIAN/${script}`, readFileSync(join(root, "packaging", script)), 0o755);
  }
  const sums = await $`find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum`.cwd(stage).text();
  install("DEBIAN/md5sums", sums);
  const output = join(options.output ?? join(root, "dist"), `berth_${version}_${architecture}.deb`);
  mkdirSync(dirname(output), { recursive: true });
  await $`find ${stage} -exec touch -h -d @${seconds} {} +`;
  await $`dpkg-deb --root-owner-group -Zxz -z1 --build ${stage} ${output}`.env({
    ...process.env,
    SOURCE_DATE_EPOCH: seconds,
  });
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function install(path: string, content: string | Uint8Array, mode = 0o644): void {
  const target = join(stage, path);
  for (let folder = dirname(target); folder.startsWith(stage); folder = dirname(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    chmodSync(folder, 0o755);
  }
  writeFileSync(target, content);
  chmodSync(target, mode);
}

function control(installedSize: number): string {
  return [
    "Package: berth",
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    "Maintainer: The Berth authors <berth@localhost>",
    `Installed-Size: ${installedSize}`,
    "Pre-Depends: init-system-helpers (>= 1.54~)",
    "Depends: libc6 (>= 2.17), conmon, crun | runc, libnftables1, libarchive13t64 | libarchive13, ca-certificates, passwd",
    "Recommends: tini, procps, apparmor, e2fsprogs",
    "Section: admin",
    "Priority: optional",
    "Description: container platform in one file",
    " Runs containers from layered images and answers the Docker Engine API, so that",
    " tools made for Docker drive it unchanged. Containers run on while its daemon is",
    " stopped, killed or upgraded.",
    "",
  ].join("\n");
}

/** In the machine-readable form of DEP-5. */
function copyright(): string {
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    "Upstream-Name: Berth",
    "",
    "Files: *",
    "Copyright: The Berth authors",
    "License: Apache-2.0",
    " On Debian systems, the full text of the Apache License version 2.0 is in",
    " /usr/share/common-licenses/Apache-2.0.",
    "",
  ].join("\n");
}
