/** The script that turns unpacked packages into a system, run inside of it: debootstrap's second stage and a clean-up. */

/** Where the packages are, as `NAME.deb`: in a file system that is only there while the script runs. */
export const packageFolder = "/dev/packages";

export interface Configuration {
  /** Unpacked already, as files without dpkg knowing of them; dependencies first. */
  readonly required: readonly string[];
  /** Not unpacked yet. */
  readonly others: readonly string[];
  /** For /etc/apt/sources.list.d, in the deb822 form; @KEYRING@ stands for the image's own. */
  readonly sources: string;
  /** Name of the sources file. */
  readonly distribution: string;
  /** Possible places of the keyring in the image. */
  readonly keyrings: readonly string[];
  /** Leave documentation and translations out. */
  readonly slim: boolean;
  /** Seconds since the epoch: nothing in the image is newer. */
  readonly date: number;
}

/** These make the ones after them work, in this order. */
const first = ["base-passwd", "base-files", "dpkg", "libc6", "perl-base", "mawk", "debconf", "debianutils"];

/** Environment of the script. */
export function scriptEnvironment(date: number): string[] {
  return [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C",
    "DEBIAN_FRONTEND=noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN=true",
    `SOURCE_DATE_EPOCH=${date}`,
  ];
}

/** The text never holds anything from outside but package names, which are checked, and the sources. */
export function configurationScript(configuration: Configuration): string {
  const { required, others } = configuration;
  const files = (names: readonly string[]): string => names.map((name) => `${packageFolder}/${name}.deb`).join(" ");
  const one = first.filter((name) => required.includes(name));
  return [
    "set -eu",
    "mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers /usr/sbin",
    "for file in status available; do [ -e /var/lib/dpkg/$file ] || : >/var/lib/dpkg/$file; done",
    ...settings(configuration),
    "ldconfig",
    ...one.map((name) => `dpkg --force-depends --install ${files([name])}`),
    `dpkg --force-depends --unpack ${files(required.filter((name) => !one.includes(name)))}`,
    "dpkg --configure --pending --force-configure-any --force-depends",
    ...(others.length > 0 ? [`dpkg --force-depends --unpack ${files(others)}`] : []),
    "dpkg --configure --pending",
    `problems=$(dpkg --audit); if [ -n "$problems" ]; then echo "$problems"; exit 1; fi`,
    ...cleaning(configuration),
  ].join("\n");
}

/** As in the images of Docker's own library: no services started, no caches kept, no waiting for the disk. */
function settings({ slim, sources, distribution, keyrings }: Configuration): string[] {
  const clean =
    "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true";
  const excluded = ["doc", "info", "linda", "lintian", "locale", "man"].map(
    (name) => `path-exclude /usr/share/${name}/*`,
  );
  const docs = ["path-include /usr/share/doc/*/copyright", "path-include /usr/share/locale/locale.alias"];
  return [
    write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n"),
    "chmod 755 /usr/sbin/policy-rc.d",
    write("/etc/dpkg/dpkg.cfg.d/docker-apt-speedup", "force-unsafe-io\n"),
    ...(slim ? [write("/etc/dpkg/dpkg.cfg.d/docker", [...excluded, ...docs, ""].join("\n"))] : []),
    write(
      "/etc/apt/apt.conf.d/docker-clean",
      `DPkg::Post-Invoke { "${clean}"; };\nAPT::Update::Post-Invoke { "${clean}"; };\n` +
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n',
    ),
    write("/etc/apt/apt.conf.d/docker-no-languages", 'Acquire::Languages "none";\n'),
    write("/etc/apt/apt.conf.d/docker-gzip-indexes", 'Acquire::GzipIndexes "true";\n'),
    write("/etc/apt/apt.conf.d/docker-autoremove-suggests", 'Apt::AutoRemove::SuggestsImportant "false";\n'),
    write(`/etc/apt/sources.list.d/${distribution}.sources`, sources),
    "export SOURCES=/etc/apt/sources.list.d/" + distribution + ".sources",
    `keyring() { for file in ${keyrings.join(" ")}; do if [ -e $file ]; then echo $file; return; fi; done; }`,
  ];
}

/** Whatever tells when or where it was made goes: the same packages give the same image. */
function cleaning({ slim, date }: Configuration): string[] {
  return [
    `sed -i "s|@KEYRING@|$(keyring)|" $SOURCES`,
    ...(slim ? ["find /usr/share/doc -type f ! -name copyright -delete"] : []),
    ...(slim ? ["rm -rf /usr/share/info/* /usr/share/lintian/* /usr/share/man/*"] : []),
    ...(slim ? ["find /usr/share/locale -mindepth 1 ! -name locale.alias -delete"] : []),
    "find /tmp /var/tmp /var/lib/apt/lists -mindepth 1 -delete",
    "find /run /var/log -xdev -type f -delete",
    "rm -f /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old",
    "rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/.pwd.lock /etc/hostname /etc/resolv.conf",
    ": >/etc/machine-id",
    // The day of the last change of password.
    `sed -i 's/^\\([^:]*:[^:]*\\):[0-9]*:/\\1:${Math.floor(date / 86_400)}:/' /etc/shadow`,
    // What is mounted is the caller's.
    `find / -xdev -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o -newermt @${date} -exec touch -h -d @${date} {} +`,
  ];
}

function write(path: string, text: string): string {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const quoted = text.replaceAll("'", "'\\''");
  return `mkdir -p ${folder} && printf '%s' '${quoted}' >${path}`;
}
