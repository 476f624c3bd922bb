/** `berth context rm`: forgets contexts. */
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { bool } from "../kinds.ts";
import { ContextStore, defaultContext } from "./store.ts";

export const verb = define({
  use: "CONTEXT [CONTEXT...]",
  flags: { force: bool("Force the removal of a context in use", { short: "f" }) },
  args: { min: 1 },
  complete: ["contexts"],
  run(session, { flags, args }) {
    const store = new ContextStore(session.folder);
    const problems: string[] = [];
    for (const name of args) {
      const problem = refusal(name);
      if (problem !== undefined) problems.push(problem);
      else {
        store.remove(name);
        session.out.line(name);
      }
    }
    if (problems.length > 0) throw new ExitError(1, problems.join("\n"));
    return Promise.resolve();

    function refusal(name: string): string | undefined {
      if (name === defaultContext) return `context "${defaultContext}" cannot be removed`;
      if (flags.force) return undefined;
      if (!store.has(name)) return `context "${name}" does not exist`;
      return name === session.choice.context ? `context "${name}" is in use, set -f flag to force remove` : undefined;
    }
  },
});
