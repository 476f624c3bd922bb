/** The verbs about contexts. */
import type { Entry } from "../commands.ts";

export const contextVerbs: readonly Entry[] = [
  { spellings: ["context create"], summary: "Create a context", load: () => import("./create.ts") },
  {
    spellings: ["context export"],
    summary: "Export a context to a tar archive FILE or a tar stream on STDOUT.",
    load: () => import("./export.ts"),
  },
  {
    spellings: ["context import"],
    summary: "Import a context from a tar file",
    load: () => import("./import.ts"),
  },
  {
    spellings: ["context inspect"],
    summary: "Display detailed information on one or more contexts",
    load: () => import("./inspect.ts"),
  },
  { spellings: ["context ls", "context list"], summary: "List contexts", load: () => import("./ls.ts") },
  {
    spellings: ["context rm", "context remove"],
    summary: "Remove one or more contexts",
    load: () => import("./rm.ts"),
  },
  {
    spellings: ["context show"],
    summary: "Print the name of the current context",
    load: () => import("./show.ts"),
  },
  { spellings: ["context update"], summary: "Update a context", load: () => import("./update.ts") },
  { spellings: ["context use"], summary: "Set the current berth context", load: () => import("./use.ts") },
];
