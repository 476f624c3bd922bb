/** `berth context show`: which context counts now. */
import { verb as define } from "../command.ts";

export const verb = define({
  use: "",
  flags: {},
  args: { min: 0, max: 0 },
  run(session) {
    session.out.line(session.choice.context);
    return Promise.resolve();
  },
});
