/** The verbs about volumes. */
import type { Entry } from "../commands.ts";

export const volumeVerbs: readonly Entry[] = [
  { spellings: ["volume create"], summary: "Create a volume", load: () => import("./create.ts") },
  {
    spellings: ["volume inspect"],
    summary: "Display detailed information on one or more volumes",
    load: () => import("./inspect.ts"),
  },
  { spellings: ["volume ls", "volume list"], summary: "List volumes", load: () => import("./ls.ts") },
  { spellings: ["volume prune"], summary: "Remove unused local volumes", load: () => import("./prune.ts") },
  { spellings: ["volume rm", "volume remove"], summary: "Remove one or more volumes", load: () => import("./rm.ts") },
];
