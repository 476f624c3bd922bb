/** `berth context inspect`: everything that is known of contexts, but no secrets. */
import { verb as define } from "../command.ts";
import { objectFormat } from "../format.ts";
import { inspectAll } from "../inspecting.ts";
import type { Session } from "../session.ts";
import { endpointOf } from "./endpoint.ts";
import { ContextStore, defaultContext } from "./store.ts";

const inMemory = "<IN MEMORY>";

export const verb = define({
  use: "[OPTIONS] [CONTEXT] [CONTEXT...]",
  flags: { format: objectFormat("f") },
  args: { min: 0 },
  complete: ["contexts"],
  async run(session, { flags, args }) {
    const names = args.length > 0 ? args : [session.choice.context];
    await inspectAll(session, names, flags.format, (name) => Promise.resolve(describe(session, name)));
  },
});

function describe(session: Session, name: string): string {
  const store = new ContextStore(session.folder);
  const isDefault = name === defaultContext;
  const { endpoint, tls } = endpointOf(session, name);
  const context = isDefault
    ? { Metadata: {}, Endpoints: { docker: endpoint } }
    : { Metadata: store.get(name).Metadata, Endpoints: store.get(name).Endpoints };
  const files = Object.keys(tls).toSorted();
  const text = JSON.stringify({
    Name: name,
    ...context,
    TLSMaterial: files.length > 0 ? { docker: files } : {},
    Storage: isDefault
      ? { MetadataPath: inMemory, TLSPath: inMemory }
      : { MetadataPath: store.metadataPath(name), TLSPath: store.tlsPath(name) },
  });
  // As Go's encoding of JSON does it.
  return text.replaceAll("<", "\\u003c").replaceAll(">", "\\u003e");
}
