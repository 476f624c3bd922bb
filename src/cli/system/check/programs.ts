/** Checks of what must be installed beside Berth. */
import { initPrograms, libraries, libraryFolders, programFolders } from "#lib/requirements.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";
import type { HostFiles } from "./host.ts";

export async function programFindings(host: HostFiles, search: string): Promise<Finding[]> {
  const find = (name: string): string | null => Bun.which(name, { PATH: `${search}:${programFolders}` });
  const [conmon, crun, runc] = await Promise.all([find("conmon"), find("crun"), find("runc")].map(versionOf));
  const runtimes = [crun && `crun ${crun}`, runc && `runc ${runc}`].filter((text) => text !== undefined && text !== "");
  return [
    conmon === undefined ? fail("conmon", "not installed", "apt-get install conmon") : ok("conmon", conmon),
    crun !== undefined
      ? ok("OCI runtime", runtimes.join(", "))
      : runc !== undefined
        ? warn("OCI runtime", `runc ${runc}`, "start the daemon with --default-runtime runc, or apt-get install crun")
        : fail("OCI runtime", "neither crun nor runc is installed", "apt-get install crun"),
    ...libraries.map(({ file, debianPackage }) =>
      libraryFolders.some((folder) => host.exists(`${folder}/${file}`))
        ? ok(debianPackage, file)
        : fail(debianPackage, `${file} is missing`, `apt-get install ${debianPackage}`),
    ),
    host.exists("/etc/ssl/certs/ca-certificates.crt")
      ? ok("CA certificates", "installed")
      : warn("CA certificates", "not installed", "registries cannot be trusted: apt-get install ca-certificates"),
    initPrograms.some((path) => host.exists(path))
      ? ok("init program", "installed")
      : warn("init program", "not installed", "--init needs one: apt-get install tini"),
    find("mkfs.ext4") === null
      ? warn("mkfs.ext4", "not installed", "volumes of a bounded size need it: apt-get install e2fsprogs")
      : ok("mkfs.ext4", "installed"),
    find("ps") === null ? warn("ps", "not installed", "top needs it: apt-get install procps") : ok("ps", "installed"),
  ];
}

/** The version that a program tells of itself, or that it does not; undefined for none. */
async function versionOf(program: string | null): Promise<string | undefined> {
  if (program === null) return undefined;
  try {
    const child = Bun.spawn([program, "--version"], { stdio: ["ignore", "pipe", "ignore"], timeout: 5000 });
    const text = await child.stdout.text();
    return /\d+(?:\.\d+)+\S*/.exec(text.split("\n")[0] ?? "")?.[0] ?? "of an unknown version";
  } catch {
    return "that does not run";
  }
}
