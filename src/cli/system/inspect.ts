/** `berth inspect`: finds out by itself what a name stands for. */
import { verb as define } from "../command.ts";
import { DaemonError } from "../connection.ts";
import { ExitError } from "../errors.ts";
import { objectFormat } from "../format.ts";
import { imagePath } from "../image/inspect.ts";
import { inspectAll } from "../inspecting.ts";
import { bool, string } from "../kinds.ts";
import type { Session } from "../session.ts";

const kinds = ["container", "image", "network", "volume"] as const;
type Kind = (typeof kinds)[number];

export const verb = define({
  use: "[OPTIONS] NAME|ID [NAME|ID...]",
  flags: {
    format: objectFormat("f"),
    size: bool("Display total file sizes if the type is container", { short: "s" }),
    type: string("Only inspect objects of the given type", { complete: kinds }),
  },
  args: { min: 1 },
  complete: ["containers"],
  async run(session, { flags, args }) {
    const only = kinds.filter((kind) => flags.type === "" || kind === flags.type);
    if (only.length === 0)
      throw new ExitError(1, `unknown type: "${flags.type}": must be one of "${kinds.join('", "')}"`);
    await inspectAll(session, args, flags.format, async (name) => {
      for (const kind of only) {
        const text = await inspectOne(session, kind, name, flags.size).catch((error: unknown) => {
          if (only.length > 1 && notThisKind(error)) return undefined;
          throw error;
        });
        if (text === undefined) continue;
        if (flags.size && kind !== "container") session.err.line(`WARNING: --size ignored for ${kind}`);
        return text;
      }
      throw new Error(`Error: No such object: ${name}`);
    });
  },
});

async function inspectOne(session: Session, kind: Kind, name: string, size: boolean): Promise<string> {
  const path =
    kind === "image"
      ? `/images/${imagePath(name)}/json`
      : `/${kind}s/${encodeURIComponent(name)}${kind === "container" ? "/json" : ""}`;
  const response = await session.daemon.send("GET", path, { query: { size: size && kind === "container" } });
  return response.text();
}

function notThisKind(error: unknown): boolean {
  return (
    error instanceof DaemonError &&
    (error.status === 404 || /not supported|invalid reference format/.test(error.message))
  );
}
