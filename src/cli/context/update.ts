/** `berth context update`: changes what a context says. */
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { string } from "../kinds.ts";
import { dockerEndpoint, dockerFlag } from "./endpoint.ts";
import { checkContextName, ContextStore } from "./store.ts";

export const verb = define({
  use: "[OPTIONS] CONTEXT",
  flags: { description: string("Description of the context"), docker: dockerFlag },
  args: { min: 1, max: 1 },
  complete: ["contexts"],
  run(session, { flags, args: [name = ""] }) {
    const store = new ContextStore(session.folder);
    checkContextName(name);
    const context = store.get(name);
    if (flags.description !== "") context.Metadata.Description = flags.description;
    let tls = store.tls(name);
    if (Object.keys(flags.docker).length > 0) {
      const asked = dockerEndpoint(session, flags.docker, "unable to create docker endpoint config");
      context.Endpoints.docker = asked.endpoint;
      ({ tls } = asked);
    }
    if (Object.keys(context.Endpoints).length === 0) {
      throw new ExitError(1, "docker endpoint configuration is required");
    }
    store.put(context, tls);
    session.out.line(name);
    session.err.line(`Successfully updated context "${name}"`);
    return Promise.resolve();
  },
});
