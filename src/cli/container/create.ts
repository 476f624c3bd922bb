/** `berth create`: makes a container without starting it. */
import { verb as define } from "../command.ts";
import { bodyOf, createContainer } from "./creation.ts";
import { containerFlags, creationFlags } from "./options.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: { ...containerFlags, ...creationFlags },
  args: { min: 1 },
  interspersed: false,
  complete: ["images"],
  async run(session, parsed) {
    const body = bodyOf("create", parsed);
    session.out.line(await createContainer(session, parsed, body));
  },
});
