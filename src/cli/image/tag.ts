/** `berth tag`: gives an image a further name. */
import { errorMessage } from "#lib/errors.ts";
import { familiarName, parseReference, type Reference } from "#oci/reference.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { quote } from "../go.ts";
import { imagePath } from "./inspect.ts";

export const verb = define({
  use: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  args: { min: 2, max: 2 },
  complete: ["images"],
  async run(session, { args: [source = "", target = ""] }) {
    let reference: Reference;
    try {
      reference = parseReference(target);
    } catch (error) {
      throw new ExitError(
        1,
        `Error parsing reference: ${quote(target)} is not a valid repository/tag: ${errorMessage(error)}`,
        { cause: error },
      );
    }
    await session.daemon.send("POST", `/images/${imagePath(source)}/tag`, {
      query: { repo: familiarName(reference), tag: reference.tag ?? "latest" },
    });
  },
});
