/** Makes the root file system of a virtual machine from a distribution's packages, as scripts/install-system.sh does. */
import { $ } from "bun";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

export interface Suite {
  readonly name: string;
  /** As the table of results calls it. */
  readonly title: string;
  readonly kernel: string;
  /** Lines as of sources.list; none: the distribution's own, security updates included. */
  readonly sources: readonly string[];
}

const debian = { kernel: "linux-image-cloud-amd64", sources: [] };

export const suites: Readonly<Record<string, Suite>> = {
  bullseye: {
    ...debian,
    name: "bullseye",
    title: "Debian 11",
    // Its security updates have ended, and their archive is no longer whole.
    sources: ["deb http://deb.debian.org/debian bullseye main"],
  },
  bookworm: { ...debian, name: "bookworm", title: "Debian 12" },
  trixie: { ...debian, name: "trixie", title: "Debian 13" },
};

export interface RootImage {
  /** An ext4 file system. */
  disk: string;
  kernel: string;
  initrd: string;
}

const scripts = join(import.meta.dir, "..");
const packages = ["initramfs-tools", "systemd-sysv", "udev", "dbus", "kmod", "apparmor", "zstd", "passwd"];

/** From the cache, unless `fresh` asks for a new one. Progress goes to stderr. Rejects where a package is not to be had. */
export async function rootImage(suite: Suite, cache: string, fresh: boolean): Promise<RootImage> {
  const folder = join(cache, `${suite.name}-${await recipeHash()}`);
  const image = { disk: join(folder, "root.ext4"), kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd") };
  if (!fresh && (await Bun.file(image.initrd).exists())) return image;
  await mkdir(cache, { recursive: true });
  const unfinished = await mkdtemp(join(cache, "making-"));
  try {
    await make(suite, unfinished);
    await rm(folder, { recursive: true, force: true });
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return image;
}

/** A change of what an image is made by makes a new one. */
async function recipeHash(): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for (const file of ["vm/image.ts", "vm/berth-test.service", "install-system.sh", "lib.sh"])
    hash.update(await Bun.file(join(scripts, file)).bytes());
  return hash.digest("hex").slice(0, 12);
}

async function make(suite: Suite, folder: string): Promise<void> {
  const root = join(folder, "root");
  const include = [suite.kernel, ...packages].join(",");
  // The packages that Berth runs on come as on a user's machine: by the script that installs them.
  const hooks = [
    'mkdir -p "$1/opt/berth" "$1/etc/systemd/network"',
    `copy-in ${scripts} /opt/berth`,
    'chroot "$1" bash /opt/berth/scripts/install-system.sh --test',
    'rm -r "$1/opt/berth/scripts"',
    `copy-in ${join(scripts, "vm/berth-test.service")} /etc/systemd/system`,
    'chroot "$1" systemctl enable berth-test.service systemd-networkd.service',
    'printf "[Match]\\nType=ether\\nKind=!veth\\n[Network]\\nDHCP=ipv4\\n" >"$1/etc/systemd/network/wired.network"',
    'printf "/dev/vda / ext4 defaults 0 1\\n/dev/vdb /opt/berth ext4 defaults 0 2\\n" >"$1/etc/fstab"',
  ].map((hook) => `--customize-hook=${hook}`);
  const options = ["--variant=apt", `--include=${include}`, ...hooks, suite.name, root, ...suite.sources];
  const { exitCode } = await $`mmdebstrap ${options} 1>&2`.nothrow();
  if (exitCode !== 0) throw new Error(`cannot make ${suite.title} from packages: mmdebstrap ended with ${exitCode}`);
  const boot = await readdir(join(root, "boot"));
  const pick = (prefix: string): string => {
    const name = boot.find((candidate) => candidate.startsWith(prefix));
    if (name === undefined) throw new Error(`the package ${suite.kernel} brought no ${prefix}`);
    return join(root, "boot", name);
  };
  await $`cp ${pick("vmlinuz-")} ${join(folder, "vmlinuz")}`;
  await $`truncate -s 6G ${join(folder, "root.ext4")}`;
  await $`mkfs.ext4 -q -F -d ${root} ${join(folder, "root.ext4")}`;
  // Last: its presence says that all is complete.
  await $`cp ${pick("initrd.img-")} ${join(folder, "initrd")}`;
  await $`rm -r ${root}`;
}
