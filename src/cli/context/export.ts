/** `berth context export`: a context with its certificates, to be taken elsewhere. */
import { writeFileSync } from "node:fs";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { packContext } from "./archive.ts";
import { endpointOf } from "./endpoint.ts";
import { ContextStore, defaultContext } from "./store.ts";

export const verb = define({
  use: "CONTEXT [FILE|-]",
  flags: {},
  args: { min: 1, max: 2 },
  complete: ["contexts", "files"],
  run(session, { args: [name = "", file = `${name}.dockercontext`] }) {
    const store = new ContextStore(session.folder);
    const { endpoint, tls } = endpointOf(session, name);
    const metadata =
      name === defaultContext ? { Name: name, Metadata: {}, Endpoints: { docker: endpoint } } : store.get(name);
    const archive = packContext(metadata, tls);
    if (file === "-") {
      if (session.out.isTerminal)
        throw new ExitError(1, "cowardly refusing to export to a terminal, specify a file path");
      session.out.write(archive);
      return Promise.resolve();
    }
    try {
      writeFileSync(file, archive, { mode: 0o600, flag: "wx" });
    } catch (cause) {
      const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
      throw new ExitError(1, exists ? `open ${file}: file exists` : (cause as Error).message, { cause });
    }
    session.err.line(`Written file "${file}"`);
    return Promise.resolve();
  },
});
