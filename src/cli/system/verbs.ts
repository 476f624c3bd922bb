/** The verbs about the system as a whole. */
import type { Entry } from "../commands.ts";

export const systemVerbs: readonly Entry[] = [
  {
    spellings: ["inspect"],
    summary: "Return low-level information on Berth objects",
    load: () => import("./inspect.ts"),
  },
  { spellings: ["system check"], summary: "Check what this host lacks", load: () => import("./check.ts") },
  { spellings: ["system df"], summary: "Show Berth disk usage", load: () => import("./df.ts") },
  {
    spellings: ["system events", "events"],
    summary: "Get real time events from the server",
    load: () => import("./events.ts"),
  },
  {
    spellings: ["system info", "info"],
    summary: "Display system-wide information",
    common: 8,
    load: () => import("./info.ts"),
  },
  {
    spellings: ["system dial-stdio"],
    summary: "Proxy the stdio stream to the daemon connection. Should not be invoked manually.",
    hidden: true,
    load: () => import("./dial-stdio.ts"),
  },
  { spellings: ["system prune"], summary: "Remove unused data", load: () => import("./prune.ts") },
  {
    spellings: ["version"],
    summary: "Show the Berth version information",
    common: 7,
    load: () => import("./version.ts"),
  },
  {
    spellings: ["completion"],
    summary: "Generate the autocompletion script for the specified shell",
    load: () => import("./completion.ts"),
  },
];
