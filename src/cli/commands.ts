/** Every verb with its spellings and summary, so that finding one or listing all loads none of them. */
import type { Verb } from "./command.ts";

export interface Entry {
  /** Space-separated words; the first spelling with two words names it in its group. */
  readonly spellings: readonly string[];
  readonly summary: string;
  /** Position among the "Common Commands" of the top-level help. */
  readonly common?: number;
  readonly hidden?: boolean;
  load(): Promise<{ readonly verb: Verb }>;
}

/** Groups of verbs ("Management Commands"). */
export const groups: Readonly<Record<string, string>> = {
  container: "Manage containers",
  image: "Manage images",
  network: "Manage networks",
  system: "Manage Berth",
  volume: "Manage volumes",
};

/** Docker's verbs that this version does not have: refused by name rather than as unknown. */
export const absent: readonly string[] = [
  "build",
  "builder",
  "buildx",
  "checkpoint",
  "compose",
  "config",
  "context",
  "login",
  "logout",
  "manifest",
  "node",
  "plugin",
  "scout",
  "search",
  "secret",
  "service",
  "stack",
  "swarm",
  "trust",
  "completion",
  "cp",
  "diff",
  "export",
  "history",
  "import",
  "push",
  "stats",
  "top",
  "update",
];

export const entries: readonly Entry[] = [
  {
    spellings: ["container run", "run"],
    summary: "Create and run a new container from an image",
    common: 1,
    load: () => import("./container/run.ts"),
  },
  {
    spellings: ["container exec", "exec"],
    summary: "Execute a command in a running container",
    common: 2,
    load: () => import("./container/exec.ts"),
  },
  {
    spellings: ["container ls", "container list", "container ps", "ps"],
    summary: "List containers",
    common: 3,
    load: () => import("./container/ls.ts"),
  },
  {
    spellings: ["image pull", "pull"],
    summary: "Download an image from a registry",
    common: 4,
    load: () => import("./image/pull.ts"),
  },
  {
    spellings: ["image ls", "image list", "images"],
    summary: "List images",
    common: 6,
    load: () => import("./image/ls.ts"),
  },
  {
    spellings: ["version"],
    summary: "Show the Berth version information",
    common: 7,
    load: () => import("./system/version.ts"),
  },
  {
    spellings: ["system info", "info"],
    summary: "Display system-wide information",
    common: 8,
    load: () => import("./system/info.ts"),
  },
  {
    spellings: ["container attach", "attach"],
    summary: "Attach local standard input, output, and error streams to a running container",
    load: () => import("./container/attach.ts"),
  },
  {
    spellings: ["container commit", "commit"],
    summary: "Create a new image from a container's changes",
    load: () => import("./container/commit.ts"),
  },
  {
    spellings: ["container create", "create"],
    summary: "Create a new container",
    load: () => import("./container/create.ts"),
  },
  {
    spellings: ["system events", "events"],
    summary: "Get real time events from the server",
    load: () => import("./system/events.ts"),
  },
  {
    spellings: ["inspect"],
    summary: "Return low-level information on Berth objects",
    load: () => import("./system/inspect.ts"),
  },
  {
    spellings: ["container kill", "kill"],
    summary: "Kill one or more running containers",
    load: () => import("./container/kill.ts"),
  },
  {
    spellings: ["image load", "load"],
    summary: "Load an image from a tar archive or STDIN",
    load: () => import("./image/load.ts"),
  },
  {
    spellings: ["container logs", "logs"],
    summary: "Fetch the logs of a container",
    load: () => import("./container/logs.ts"),
  },
  {
    spellings: ["container pause", "pause"],
    summary: "Pause all processes within one or more containers",
    load: () => import("./container/pause.ts"),
  },
  {
    spellings: ["container port", "port"],
    summary: "List port mappings or a specific mapping for the container",
    load: () => import("./container/port.ts"),
  },
  {
    spellings: ["container rename", "rename"],
    summary: "Rename a container",
    load: () => import("./container/rename.ts"),
  },
  {
    spellings: ["container restart", "restart"],
    summary: "Restart one or more containers",
    load: () => import("./container/restart.ts"),
  },
  {
    spellings: ["container rm", "container remove", "rm"],
    summary: "Remove one or more containers",
    load: () => import("./container/rm.ts"),
  },
  {
    spellings: ["image rm", "image remove", "rmi"],
    summary: "Remove one or more images",
    load: () => import("./image/rm.ts"),
  },
  {
    spellings: ["image save", "save"],
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: () => import("./image/save.ts"),
  },
  {
    spellings: ["container start", "start"],
    summary: "Start one or more stopped containers",
    load: () => import("./container/start.ts"),
  },
  {
    spellings: ["container stop", "stop"],
    summary: "Stop one or more running containers",
    load: () => import("./container/stop.ts"),
  },
  {
    spellings: ["image tag", "tag"],
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: () => import("./image/tag.ts"),
  },
  {
    spellings: ["container unpause", "unpause"],
    summary: "Unpause all processes within one or more containers",
    load: () => import("./container/unpause.ts"),
  },
  {
    spellings: ["container wait", "wait"],
    summary: "Block until one or more containers stop, then print their exit codes",
    load: () => import("./container/wait.ts"),
  },
  {
    spellings: ["container inspect"],
    summary: "Display detailed information on one or more containers",
    load: () => import("./container/inspect.ts"),
  },
  {
    spellings: ["image bootstrap"],
    summary: "Make a first image without a registry: busybox, or debian:SUITE from a mirror",
    load: () => import("./image/bootstrap.ts"),
  },
  {
    spellings: ["image inspect"],
    summary: "Display detailed information on one or more images",
    load: () => import("./image/inspect.ts"),
  },
  {
    spellings: ["network inspect"],
    summary: "Display detailed information on one or more networks",
    load: () => import("./network/inspect.ts"),
  },
  { spellings: ["network ls", "network list"], summary: "List networks", load: () => import("./network/ls.ts") },
  {
    spellings: ["network rm", "network remove"],
    summary: "Remove one or more networks",
    load: () => import("./network/rm.ts"),
  },
  { spellings: ["volume create"], summary: "Create a volume", load: () => import("./volume/create.ts") },
  {
    spellings: ["volume inspect"],
    summary: "Display detailed information on one or more volumes",
    load: () => import("./volume/inspect.ts"),
  },
  { spellings: ["volume ls", "volume list"], summary: "List volumes", load: () => import("./volume/ls.ts") },
  {
    spellings: ["volume rm", "volume remove"],
    summary: "Remove one or more volumes",
    load: () => import("./volume/rm.ts"),
  },
];

/** A verb as it was called. */
export interface Found {
  readonly entry: Entry;
  /** The words that named it, an alias in its group replaced by the first name: `container ls`. */
  readonly name: string;
  readonly rest: string[];
}

/** Finds the verb at the head of `argv`; undefined when its words name none. */
export function findVerb(argv: readonly string[]): Found | undefined {
  const [first = "", second = ""] = argv;
  const words = Object.hasOwn(groups, first) ? `${first} ${second}` : first;
  for (const entry of entries) {
    if (!entry.spellings.includes(words)) continue;
    const grouped = words.includes(" ");
    const name = grouped ? (entry.spellings[0] ?? words) : words;
    return { entry, name, rest: argv.slice(grouped ? 2 : 1) };
  }
  return undefined;
}
