/** `berth tag`: gives an image a further name. */
import { familiarName, parseReference } from "#oci/reference.ts";
import { verb as define } from "../command.ts";
import { imagePath } from "./inspect.ts";

export const verb = define({
  use: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  args: { min: 2, max: 2 },
  complete: ["images"],
  async run(session, { args: [source = "", target = ""] }) {
    const reference = parseReference(target);
    await session.daemon.send("POST", `/images/${imagePath(source)}/tag`, {
      query: { repo: familiarName(reference), tag: reference.tag ?? "latest" },
    });
  },
});
