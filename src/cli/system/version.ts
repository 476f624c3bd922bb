/** `berth version`: what is at either end. */
import type { SystemVersion } from "#api/types/system.ts";
import { clientVersion } from "../build.ts";
import { verb as define } from "../command.ts";
import { execute, objectFormat, parseFormat } from "../format.ts";
import { struct, type Value } from "../template/value.ts";

export const verb = define({
  use: "[OPTIONS]",
  flags: { format: objectFormat("f") },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    let server: SystemVersion | undefined;
    let failure: { error: unknown } | undefined;
    try {
      server = await session.daemon.json<SystemVersion>("GET", "/version");
    } catch (error) {
      failure = { error };
    }
    const client = { ...clientVersion, Context: session.choice.context };
    if (flags.format) {
      const source = flags.format === "json" ? "{{json .}}" : flags.format;
      session.out.line(
        execute(parseFormat(source, 64), { Client: named(client), Server: server ? named(server) : null }),
      );
    } else {
      const { Version, ApiVersion, GitCommit, Os, Arch, Context } = client;
      const shown = {
        Version,
        "API version": ApiVersion,
        "Git commit": GitCommit,
        "OS/Arch": `${Os}/${Arch}`,
        Context,
      };
      session.out.write(`Client:\n${lines(shown, 1)}`);
      if (server !== undefined) session.out.write(describe(server));
    }
    if (failure !== undefined) throw failure.error;
  },
});

/** Templates know the field by Go's name. */
function named(version: { ApiVersion: string }): Value {
  return struct("*types.Version", version, { APIVersion: version.ApiVersion });
}

function describe(server: SystemVersion): string {
  const engine = {
    Version: server.Version,
    "API version": `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`,
    "Git commit": server.GitCommit,
    "OS/Arch": `${server.Os}/${server.Arch}`,
    Experimental: String(server.Experimental ?? false),
  };
  const others = server.Components.filter(({ Name }) => Name !== "Engine");
  return (
    `\nServer: ${server.Platform.Name}\n Engine:\n${lines(engine, 2)}` +
    others.map(({ Name, Version }) => ` ${Name}:\n${lines({ Version }, 2)}`).join("")
  );
}

/** The values stand in one column, however deep their names are indented. */
function lines(values: Record<string, string>, indent: number): string {
  return Object.entries(values)
    .map(([name, value]) => `${" ".repeat(indent)}${`${name}:`.padEnd(20 - indent)}${value}\n`)
    .join("");
}
