/** The verbs about networks. */
import type { Entry } from "../commands.ts";

export const networkVerbs: readonly Entry[] = [
  { spellings: ["network connect"], summary: "Connect a container to a network", load: () => import("./connect.ts") },
  { spellings: ["network create"], summary: "Create a network", load: () => import("./create.ts") },
  {
    spellings: ["network disconnect"],
    summary: "Disconnect a container from a network",
    load: () => import("./disconnect.ts"),
  },
  {
    spellings: ["network inspect"],
    summary: "Display detailed information on one or more networks",
    load: () => import("./inspect.ts"),
  },
  { spellings: ["network ls", "network list"], summary: "List networks", load: () => import("./ls.ts") },
  { spellings: ["network prune"], summary: "Remove all unused networks", load: () => import("./prune.ts") },
  {
    spellings: ["network rm", "network remove"],
    summary: "Remove one or more networks",
    load: () => import("./rm.ts"),
  },
];
