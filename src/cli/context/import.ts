/** `berth context import`: a context that was exported elsewhere. */
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { archiveFile } from "../image/archive-file.ts";
import { largestArchive, unpackContext } from "./archive.ts";
import { checkContextName, ContextStore } from "./store.ts";

export const verb = define({
  use: "CONTEXT FILE|-",
  flags: {},
  args: { min: 2, max: 2 },
  complete: [[], "files"],
  async run(session, { args: [name = "", file = ""] }) {
    const store = new ContextStore(session.folder);
    checkContextName(name);
    if (store.has(name)) throw new ExitError(1, `context "${name}" already exists`);
    const bytes = await (file === "-" ? Bun.stdin : archiveFile(file)).bytes();
    if (bytes.length > largestArchive) throw new ExitError(1, "the archive is larger than a context can be");
    let context: ReturnType<typeof unpackContext>;
    try {
      context = unpackContext(bytes);
    } catch (cause) {
      throw new ExitError(1, `cannot import ${file}: ${(cause as Error).message}`, { cause });
    }
    store.put({ ...context.metadata, Name: name }, context.tls);
    session.out.line(name);
    session.err.line(`Successfully imported context "${name}"`);
  },
});
