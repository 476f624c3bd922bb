/** `berth system dial-stdio`: joins stdin and stdout with the daemon's socket, for clients that come by ssh. */
import { verb as define } from "../command.ts";

export const verb = define({
  use: "",
  flags: {},
  args: { min: 0, max: 0 },
  async run(session) {
    await session.daemon.dial(Bun.stdin.stream(), (chunk) => session.out.write(chunk));
  },
});
