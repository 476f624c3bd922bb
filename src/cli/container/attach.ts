/** `berth attach`. */
import { verb as define } from "../command.ts";
import { bool, string } from "../kinds.ts";
import { stayWith } from "./staying.ts";

export const verb = define({
  use: "[OPTIONS] CONTAINER",
  flags: {
    "detach-keys": string("Override the key sequence for detaching a container"),
    "no-stdin": bool("Do not attach STDIN"),
    "sig-proxy": bool("Proxy all received signals to the process", { initial: true }),
  },
  args: { min: 1, max: 1 },
  complete: ["containers"],
  run(session, { flags, args }) {
    return stayWith(session, args[0] ?? "", {
      stdin: !flags["no-stdin"],
      detachKeys: flags["detach-keys"],
      start: false,
      proxy: flags["sig-proxy"],
    });
  },
});
