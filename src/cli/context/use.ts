/** `berth context use`: what counts where neither flags nor environment say otherwise. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { ContextStore, defaultContext } from "./store.ts";

export const verb = define({
  use: "CONTEXT",
  flags: {},
  args: { min: 1, max: 1 },
  complete: ["contexts"],
  run(session, { args: [name = ""] }) {
    if (name !== defaultContext) new ContextStore(session.folder).get(name);
    setCurrentContext(session.folder, name === defaultContext ? undefined : name);
    session.out.line(name);
    session.err.line(`Current context is now "${name}"`);
    const { variable } = session.choice;
    if (variable?.endsWith("_HOST") && name !== defaultContext) {
      session.err.line(
        `Warning: ${variable} environment variable overrides the active context. To use "${name}", either set the ` +
          `global --context flag, or unset ${variable} environment variable.`,
      );
    }
    return Promise.resolve();
  },
});

/** Changes one key of config.json and leaves the others. Throws ExitError where the file cannot be understood. */
function setCurrentContext(folder: string, name: string | undefined): void {
  const path = `${folder}/config.json`;
  let settings: Record<string, unknown> = {};
  try {
    settings = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT")
      throw new ExitError(1, `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const { currentContext: _, ...rest } = settings;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  const changed = name === undefined ? rest : { ...rest, currentContext: name };
  writeFileSync(temporary, JSON.stringify(changed, undefined, "\t"), { mode: 0o600 });
  renameSync(temporary, path);
}
