/** `berth image inspect`. */
import { parsePlatform } from "../platform.ts";
import { verb as define } from "../command.ts";
import { objectFormat } from "../format.ts";
import { inspectAll } from "../inspecting.ts";
import { string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    format: objectFormat("f"),
    platform: string(
      "Inspect a specific platform of the multi-platform image.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    ),
  },
  args: { min: 1 },
  complete: ["images"],
  run(session, { flags, args }) {
    const platform = parsePlatform(flags.platform);
    return inspectAll(session, args, flags.format, async (name) =>
      (await session.daemon.send("GET", `/images/${imagePath(name)}/json`, { query: { platform } })).text(),
    );
  },
});

/** Slashes of an image's name stay slashes in the API's paths. */
export function imagePath(name: string): string {
  return encodeURIComponent(name).replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%40", "@");
}
