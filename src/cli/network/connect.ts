/** `berth network connect`: puts a container into a network. */
import { verb as define } from "../command.ts";
import { checkLink } from "../container/option-checks.ts";
import { int, list, string } from "../kinds.ts";

export const verb = define({
  use: "[OPTIONS] NETWORK CONTAINER",
  flags: {
    alias: list("Add network-scoped alias for the container", { comma: true }),
    "driver-opt": list("driver options for the network", { comma: true }),
    "gw-priority": int("Highest gw-priority provides the default gateway. Accepts positive and negative values."),
    ip: string('IPv4 address (e.g., "172.30.100.104")'),
    ip6: string('IPv6 address (e.g., "2001:db8::33")'),
    link: list("Add link to another container", { check: checkLink }),
    "link-local-ip": list("Add a link-local address for the container", { comma: true }),
  },
  args: { min: 2, max: 2 },
  complete: ["networks", "containers"],
  async run(session, { flags, args: [network = "", container = ""] }) {
    const options = flags["driver-opt"].map((option): [string, string] => {
      const cut = option.indexOf("=");
      if (cut < 0) throw new Error("invalid key/value pair format in driver options");
      return [option.slice(0, cut), option.slice(cut + 1)];
    });
    await session.daemon.send("POST", `/networks/${encodeURIComponent(network)}/connect`, {
      body: {
        Container: container,
        EndpointConfig: {
          IPAMConfig: {
            ...(flags.ip ? { IPv4Address: flags.ip } : {}),
            ...(flags.ip6 ? { IPv6Address: flags.ip6 } : {}),
            ...(flags["link-local-ip"].length > 0 ? { LinkLocalIPs: flags["link-local-ip"] } : {}),
          },
          Links: flags.link,
          Aliases: flags.alias,
          DriverOpts: Object.fromEntries(options),
          GwPriority: flags["gw-priority"],
        },
      },
    });
  },
});
