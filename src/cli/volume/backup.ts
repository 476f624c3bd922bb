/** `berth volume backup`. */
import { errorMessage } from "#lib/errors.ts";
import { SealReader } from "#lib/seal.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { string } from "../kinds.ts";
import { saveTo } from "../saving.ts";
import { pauseFlag } from "./pause-flag.ts";

export const verb = define({
  use: "[OPTIONS] VOLUME",
  details:
    "Write a volume to a tar archive in Zstandard (STDOUT by default), with everything in it and a digest.\n" +
    'The volume is in its folder "data". A file that changes while it is read makes the backup fail.',
  flags: {
    output: string("Write to a file, instead of STDOUT", { short: "o", complete: "files" }),
    pause: pauseFlag,
  },
  args: { min: 1, max: 1 },
  complete: ["volumes"],
  run(session, { flags, args: [name = ""] }) {
    return saveTo(session, flags.output === "-" ? "" : flags.output, "back up volume", async () => {
      const path = `/volumes/${encodeURIComponent(name)}/backup`;
      const response = await session.daemon.send("GET", path, { query: { pause: flags.pause, sealed: true } });
      return new Response(response.body && whole(response.body));
    });
  },
});

/** The same bytes; fails at their end unless that is the seal of a backup, with the reason where they tell one. */
function whole(archive: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = archive.getReader();
  const seal = new SealReader();
  const fail = (cause: unknown): ExitError =>
    new ExitError(1, `failed to back up volume: ${errorMessage(cause)}`, { cause });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      // A connection that breaks off is an archive that does.
      const { value } = await reader.read().catch(() => ({ value: undefined }));
      if (value === undefined) {
        try {
          seal.end("the backup");
          controller.close();
        } catch (cause) {
          controller.error(fail(cause));
        }
        return;
      }
      seal.push(value);
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
