/** `berth completion`: the script that makes a shell ask `berth __complete` what may come next. */
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { scripts } from "./shells.ts";

const shells = Object.keys(scripts);

export const verb = define({
  use: shells.join("|"),
  flags: {},
  args: { min: 1, max: 1 },
  complete: [shells, []],
  details: `Generate the autocompletion script for the specified shell

  bash:  source <(berth completion bash)
  zsh:   source <(berth completion zsh)
  fish:  berth completion fish | source

To have it in every session, write it to /etc/bash_completion.d/berth,
to _berth in a folder of zsh's $fpath, or to ~/.config/fish/completions/berth.fish`,
  async run(session, { args: [shell = ""] }) {
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
    if (script === undefined)
      throw new ExitError(1, `unknown shell: "${shell}": must be one of "${shells.join('", "')}"`);
    session.out.write(script);
  },
});
