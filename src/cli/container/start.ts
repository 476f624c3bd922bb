/** `berth start`: starts stopped containers, perhaps staying with one. */
import { verb as define } from "../command.ts";
import { forEach } from "../each.ts";
import { ExitError } from "../errors.ts";
import { bool, string } from "../kinds.ts";
import { stayWith } from "./staying.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    attach: bool("Attach STDOUT/STDERR and forward signals", { short: "a" }),
    "detach-keys": string("Override the key sequence for detaching a container"),
    interactive: bool("Attach container's STDIN", { short: "i" }),
  },
  args: { min: 1 },
  complete: ["containers"],
  async run(session, { flags, args }) {
    if (!flags.attach && !flags.interactive) {
      return forEach(session, args, async (name) => {
        await session.daemon.send("POST", `/containers/${encodeURIComponent(name)}/start`);
        return name;
      });
    }
    const [name = ""] = args;
    if (args.length > 1) throw new ExitError(1, "you cannot start and attach multiple containers at once");
    return stayWith(session, name, { stdin: flags.interactive, detachKeys: flags["detach-keys"], start: true, proxy: true });
  },
});
