/** `berth port`. */
import { verb as define } from "../command.ts";
import type { ContainerInspect, PortBinding } from "#api/types/container.ts";
import { ExitError } from "../errors.ts";

export const verb = define({
  use: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  flags: {},
  args: { min: 1, max: 2 },
  complete: ["containers"],
  async run(session, { args }) {
    const [name = "", wanted] = args;
    const { NetworkSettings } = await session.daemon.json<ContainerInspect>("GET", `/containers/${encodeURIComponent(name)}/json`);
    const host = ({ HostIp, HostPort }: PortBinding) => `${HostIp.includes(":") ? `[${HostIp}]` : HostIp}:${HostPort}`;
    if (wanted === undefined) {
      for (const [port, bindings] of Object.entries(NetworkSettings.Ports).toSorted()) {
        for (const binding of bindings ?? []) session.out.line(`${port} -> ${host(binding)}`);
      }
      return;
    }
    const bindings = NetworkSettings.Ports[wanted.includes("/") ? wanted : `${wanted}/tcp`];
    if (!bindings?.length) throw new ExitError(1, `no public port '${wanted.includes("/") ? wanted : `${wanted}/tcp`}' published for ${name}`);
    for (const binding of bindings) session.out.line(host(binding));
  },
});
