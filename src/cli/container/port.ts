/** `berth port`: where a container's ports are published. */
import type { ContainerInspect } from "#api/types/container.ts";
import { verb as define } from "../command.ts";
import { ExitError } from "../errors.ts";
import { parseInteger } from "../go.ts";
import { naturally } from "../natural.ts";
import { hostPort } from "./row.ts";

export const verb = define({
  use: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  flags: {},
  args: { min: 1, max: 2 },
  complete: ["running", []],
  async run(session, { args: [name = "", wanted] }) {
    const { NetworkSettings } = await session.daemon.json<ContainerInspect>(
      "GET",
      `/containers/${encodeURIComponent(name)}/json`,
    );
    const ports = NetworkSettings.Ports ?? {};
    const lines =
      wanted === undefined
        ? Object.entries(ports).flatMap(([port, bindings]) =>
            (bindings ?? []).map(({ HostIp, HostPort }) => `${port} -> ${hostPort(HostIp, HostPort)}`),
          )
        : published(ports, wanted, name);

    for (const line of lines.toSorted(naturally)) session.out.line(line);
  },
});

function published(ports: ContainerInspect["NetworkSettings"]["Ports"], wanted: string, name: string): string[] {
  const [port = "", proto] = wanted.split("/", 2);
  try {
    parseInteger(port, { bits: 16, signed: false });
  } catch (error) {
    throw new ExitError(1, `Error: invalid port (${port}): ${(error as Error).message}`, { cause: error });
  }
  const bindings = ports[`${port}/${proto || "tcp"}`] ?? [];
  if (bindings.length === 0) throw new ExitError(1, `Error: No public port '${wanted}' published for ${name}`);
  return bindings.map(({ HostIp, HostPort }) => hostPort(HostIp, HostPort));
}
