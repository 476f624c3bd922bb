/** `berth context create`: remembers a daemon under a name. */
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { string } from "../kinds.ts";
import { dockerEndpoint, dockerFlag, endpointOf } from "./endpoint.ts";
import { checkContextName, ContextStore, defaultContext, defaultDescription } from "./store.ts";

export const verb = define({
  use: "[OPTIONS] CONTEXT",
  details:
    "Create a context\n\nDocker endpoint config:\n\n" +
    "NAME                DESCRIPTION\n" +
    "from                Copy named context's Docker endpoint configuration\n" +
    "host                Docker endpoint on which to connect\n" +
    "ca                  Trust certs signed only by this CA\n" +
    "cert                Path to TLS certificate file\n" +
    "key                 Path to TLS key file\n" +
    "skip-tls-verify     Skip TLS certificate validation\n\n" +
    'Example:\n\n$ berth context create my-context --description "some description" ' +
    '--docker "host=tcp://myserver:2376,ca=~/ca-file,cert=~/cert-file,key=~/key-file"',
  flags: {
    description: string("Description of the context"),
    docker: dockerFlag,
    from: string("create context from a named context", { complete: "contexts" }),
  },
  args: { min: 1, max: 1 },
  run(session, { flags, args: [name = ""] }) {
    const store = new ContextStore(session.folder);
    checkContextName(name);
    if (store.has(name)) throw new ExitError(1, `context "${name}" already exists`);
    const source = flags.from || session.choice.context;
    const asked = Object.keys(flags.docker).length > 0;
    const { endpoint, tls } = asked
      ? dockerEndpoint(session, flags.docker, "unable to create docker endpoint config")
      : endpointOf(session, source);
    const inherited = asked && flags.from === "" ? undefined : descriptionOf(store, source);
    const Description = flags.description || inherited;
    store.put({ Name: name, Metadata: Description ? { Description } : {}, Endpoints: { docker: endpoint } }, tls);
    session.out.line(name);
    session.err.line(`Successfully created context "${name}"`);
    return Promise.resolve();
  },
});

function descriptionOf(store: ContextStore, name: string): string | undefined {
  return name === defaultContext ? defaultDescription : store.get(name).Metadata.Description;
}
