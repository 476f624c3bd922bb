/** `berth __complete`: what may come next on a command line, from the tables that the parser reads. */
import { verb as define } from "../command.ts";
import { candidates } from "../completing.ts";

export const verb = define({
  use: "-- WORD...",
  flags: {},
  args: { min: 1 },
  async run(session, { args }) {
    for (const { word, about } of await candidates(args, session.env)) {
      // The first line says enough; more of it would be a further candidate.
      session.out.line(about === undefined ? word : `${word}\t${about.split("\n", 1)[0]}`);
    }
  },
});
