/** `berth context ls`: lists contexts, the one that counts marked. */
import { verb as define } from "../command.ts";
import { chooseFormat, Formatter, type Headers, listFormat } from "../format.ts";
import { bool } from "../kinds.ts";
import { Row } from "../template/value.ts";
import { ellipsis } from "../units.ts";
import { ContextStore, defaultContext, defaultDescription } from "./store.ts";

const headers: Headers = {
  // Only a mark beside the name.
  Current: "",
  Name: "NAME",
  Description: "DESCRIPTION",
  DockerEndpoint: "DOCKER ENDPOINT",
  Error: "ERROR",
};
const table = "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";

interface Shown {
  readonly name: string;
  readonly description: string;
  readonly host: string;
  readonly error: string;
}

export const verb = define({
  use: "[OPTIONS]",
  flags: { format: listFormat, quiet: bool("Only show context names", { short: "q" }) },
  args: { min: 0, max: 0 },
  run(session, { flags }) {
    const { context: current, variable } = session.choice;
    const store = new ContextStore(session.folder);
    const shown: Shown[] = [
      { name: defaultContext, description: defaultDescription, ...defaultHost() },
      ...store.list().map(({ Name, Metadata, Endpoints }) => ({
        name: Name,
        description: Metadata.Description ?? "",
        host: Endpoints.docker?.Host ?? "",
        error: "",
      })),
    ];
    if (!shown.some(({ name }) => name === current))
      shown.push({ name: current, description: "", host: "", error: problem() });
    const format = chooseFormat(flags.format, undefined, flags.quiet, "{{.Name}}");
    const rows = shown.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((one) => row(one, current));
    session.out.write(new Formatter(format, table, headers).format(rows));
    if (variable?.endsWith("_HOST") && !flags.quiet) {
      session.err.line(
        `Warning: ${variable} environment variable overrides the active context. To use a context, either set the ` +
          `global --context flag, or unset ${variable} environment variable.`,
      );
    }
    return Promise.resolve();

    function problem(): string {
      try {
        store.get(current);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    }

    function defaultHost(): Pick<Shown, "host" | "error"> {
      try {
        return { host: session.defaultTarget.host, error: "" };
      } catch (error) {
        return { host: "", error: (error as Error).message };
      }
    }
  },
});

function row({ name, description, host, error }: Shown, current: string): Row {
  return new Row("*formatter.clientContextContext", {
    Current: () => name === current,
    Description: () => ellipsis(description, 60),
    DockerEndpoint: () => host,
    Error: () => ellipsis(error, 45),
    Name: () => name,
  });
}
