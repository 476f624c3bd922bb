/** The verbs about volumes. */
import type { Entry } from "../commands.ts";

export const volumeVerbs: readonly Entry[] = [
  { spellings: ["volume backup"], summary: "Write a volume to an archive", load: () => import("./backup.ts") },
  {
    spellings: ["volume cp", "volume copy"],
    summary: "Copy a volume with everything in it",
    load: () => import("./cp.ts"),
  },
  { spellings: ["volume create"], summary: "Create a volume", load: () => import("./create.ts") },
  { spellings: ["volume du"], summary: "Show the disk usage of volumes", load: () => import("./du.ts") },
  {
    spellings: ["volume inspect"],
    summary: "Display detailed information on one or more volumes",
    load: () => import("./inspect.ts"),
  },
  { spellings: ["volume ls", "volume list"], summary: "List volumes", load: () => import("./ls.ts") },
  { spellings: ["volume prune"], summary: "Remove unused local volumes", load: () => import("./prune.ts") },
  { spellings: ["volume rename"], summary: "Rename a volume", load: () => import("./rename.ts") },
  { spellings: ["volume restore"], summary: "Make a volume of a backup", load: () => import("./restore.ts") },
  { spellings: ["volume rm", "volume remove"], summary: "Remove one or more volumes", load: () => import("./rm.ts") },
  {
    spellings: ["volume update"],
    summary: "Update a volume (cluster volumes only)",
    load: () => import("./update.ts"),
  },
];
