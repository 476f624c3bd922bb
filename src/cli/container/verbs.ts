/** The verbs about containers. */
import type { Entry } from "../commands.ts";

export const containerVerbs: readonly Entry[] = [
  {
    spellings: ["container cp", "cp"],
    summary: "Copy files/folders between a container and the local filesystem",
    load: () => import("./cp.ts"),
  },
  {
    spellings: ["container attach", "attach"],
    summary: "Attach local standard input, output, and error streams to a running container",
    load: () => import("./attach.ts"),
  },
  {
    spellings: ["container commit", "commit"],
    summary: "Create a new image from a container's changes",
    load: () => import("./commit.ts"),
  },
  { spellings: ["container create", "create"], summary: "Create a new container", load: () => import("./create.ts") },
  {
    spellings: ["container diff", "diff"],
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import("./diff.ts"),
  },
  {
    spellings: ["container exec", "exec"],
    summary: "Execute a command in a running container",
    common: 2,
    load: () => import("./exec.ts"),
  },
  {
    spellings: ["container export", "export"],
    summary: "Export a container's filesystem as a tar archive",
    load: () => import("./export.ts"),
  },
  {
    spellings: ["container inspect"],
    summary: "Display detailed information on one or more containers",
    load: () => import("./inspect.ts"),
  },
  {
    spellings: ["container kill", "kill"],
    summary: "Kill one or more running containers",
    load: () => import("./kill.ts"),
  },
  { spellings: ["container logs", "logs"], summary: "Fetch the logs of a container", load: () => import("./logs.ts") },
  {
    spellings: ["container ls", "container list", "container ps", "ps"],
    summary: "List containers",
    common: 3,
    load: () => import("./ls.ts"),
  },
  {
    spellings: ["container pause", "pause"],
    summary: "Pause all processes within one or more containers",
    load: () => import("./pause.ts"),
  },
  {
    spellings: ["container port", "port"],
    summary: "List port mappings or a specific mapping for the container",
    load: () => import("./port.ts"),
  },
  { spellings: ["container prune"], summary: "Remove all stopped containers", load: () => import("./prune.ts") },
  { spellings: ["container rename", "rename"], summary: "Rename a container", load: () => import("./rename.ts") },
  {
    spellings: ["container restart", "restart"],
    summary: "Restart one or more containers",
    load: () => import("./restart.ts"),
  },
  {
    spellings: ["container rm", "container remove", "rm"],
    summary: "Remove one or more containers",
    load: () => import("./rm.ts"),
  },
  {
    spellings: ["container run", "run"],
    summary: "Create and run a new container from an image",
    common: 1,
    load: () => import("./run.ts"),
  },
  {
    spellings: ["container start", "start"],
    summary: "Start one or more stopped containers",
    load: () => import("./start.ts"),
  },
  {
    spellings: ["container stats", "stats"],
    summary: "Display a live stream of container(s) resource usage statistics",
    load: () => import("./stats.ts"),
  },
  {
    spellings: ["container stop", "stop"],
    summary: "Stop one or more running containers",
    load: () => import("./stop.ts"),
  },
  {
    spellings: ["container top", "top"],
    summary: "Display the running processes of a container",
    load: () => import("./top.ts"),
  },
  {
    spellings: ["container unpause", "unpause"],
    summary: "Unpause all processes within one or more containers",
    load: () => import("./unpause.ts"),
  },
  {
    spellings: ["container update", "update"],
    summary: "Update configuration of one or more containers",
    load: () => import("./update.ts"),
  },
  {
    spellings: ["container wait", "wait"],
    summary: "Block until one or more containers stop, then print their exit codes",
    load: () => import("./wait.ts"),
  },
];
