/** `berth version`: what is at either end. */
import type { SystemVersion } from "#api/types/system.ts";
import { clientVersion } from "../build.ts";
import { verb as define } from "../command.ts";
import { execute, objectFormat, parseFormat } from "../format.ts";

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
    if (flags.format) {
      const source = flags.format === "json" ? "{{json .}}" : flags.format;
      session.out.line(execute(parseFormat(source, 64), { Client: clientVersion, Server: server ?? null }));
    } else {
      session.out.write(
        `Client:\n${lines({ Version: clientVersion.Version, "API version": clientVersion.ApiVersion, "Git commit": clientVersion.GitCommit, "OS/Arch": `${clientVersion.Os}/${clientVersion.Arch}` })}`,
      );
      if (server !== undefined) {
        session.out.write(
          `\nServer: ${server.Platform.Name}\n Engine:\n${lines({ Version: server.Version, "API version": `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`, "Git commit": server.GitCommit, "OS/Arch": `${server.Os}/${server.Arch}` }, " ")}`,
        );
        for (const { Name, Version } of server.Components.filter(({ Name: name }) => name !== "Engine")) {
          session.out.write(` ${Name}:\n${lines({ Version }, " ")}`);
        }
      }
    }
    if (failure !== undefined) throw failure.error;
  },
});

function lines(values: Record<string, string>, indent = ""): string {
  return Object.entries(values)
    .map(([name, value]) => `${indent} ${`${name}:`.padEnd(18)}${value}\n`)
    .join("");
}
