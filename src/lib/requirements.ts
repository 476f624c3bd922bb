/** What the engine needs of the system that it is installed on: where to look, and which packages bring it. */

/** Besides PATH, which services often get without the sbin folders. */
export const programFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const libraryFolders: readonly string[] = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/lib64",
  "/usr/lib64",
  "/usr/lib",
  "/lib",
];

/** Where distributions keep those that `--init` puts in front of a container's own program (tini, catatonit, podman, docker). */
export const initPrograms: readonly string[] = [
  "/usr/bin/docker-init",
  "/usr/libexec/docker/docker-init",
  "/usr/local/bin/docker-init",
  "/usr/bin/tini-static",
  "/usr/bin/catatonit",
  "/usr/libexec/podman/catatonit",
  "/usr/libexec/catatonit/catatonit",
  "/usr/bin/tini",
];

export const libraries: readonly { readonly file: string; readonly debianPackage: string }[] = [
  { file: "libnftables.so.1", debianPackage: "libnftables1" },
  { file: "libarchive.so.13", debianPackage: "libarchive13" },
];
