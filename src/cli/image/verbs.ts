/** The verbs about images. */
import type { Entry } from "../commands.ts";

export const imageVerbs: readonly Entry[] = [
  {
    spellings: ["image bootstrap"],
    summary: "Make a first image without a registry: busybox, or debian:SUITE from a mirror",
    load: () => import("./bootstrap.ts"),
  },
  {
    spellings: ["image history", "history"],
    summary: "Show the history of an image",
    load: () => import("./history.ts"),
  },
  {
    spellings: ["image import", "import"],
    summary: "Import the contents from a tarball to create a filesystem image",
    load: () => import("./import.ts"),
  },
  {
    spellings: ["image inspect"],
    summary: "Display detailed information on one or more images",
    load: () => import("./inspect.ts"),
  },
  {
    spellings: ["image load", "load"],
    summary: "Load an image from a tar archive or STDIN",
    load: () => import("./load.ts"),
  },
  { spellings: ["image ls", "image list", "images"], summary: "List images", common: 6, load: () => import("./ls.ts") },
  { spellings: ["image prune"], summary: "Remove unused images", load: () => import("./prune.ts") },
  {
    spellings: ["image pull", "pull"],
    summary: "Download an image from a registry",
    common: 4,
    load: () => import("./pull.ts"),
  },
  {
    spellings: ["image push", "push"],
    summary: "Upload an image to a registry",
    common: 5,
    load: () => import("./push.ts"),
  },
  {
    spellings: ["image rm", "image remove", "rmi"],
    summary: "Remove one or more images",
    load: () => import("./rm.ts"),
  },
  {
    spellings: ["image save", "save"],
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: () => import("./save.ts"),
  },
  {
    spellings: ["image tag", "tag"],
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: () => import("./tag.ts"),
  },
];
