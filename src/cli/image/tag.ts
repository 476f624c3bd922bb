/** `berth tag`. */
import { verb as define } from "../command.ts";
import { splitReference } from "../names.ts";

export const verb = define({
  use: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  args: { min: 2, max: 2 },
  complete: ["images"],
  async run(session, { args }) {
    const [source = "", target = ""] = args;
    const { repo, tag } = splitReference(target);
    await session.daemon.send("POST", `/images/${encodeURIComponent(source)}/tag`, { query: { repo, tag } });
  },
});
