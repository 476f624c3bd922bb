/** Networks that only hold settings (`network create --config-only`), and those that take theirs from one (`--config-from`). */
import type { NetworkCreateBody } from "#api/types/network.ts";
import { EngineError } from "#lib/errors.ts";
import { familiesOf, shownOptions } from "./bridge-options.ts";
import { randomId } from "./names.ts";
import type { NetworkRecord } from "./store.ts";
import { chosenSubnets } from "./subnet-config.ts";

/** What one network can take from another. */
export type HeldSettings = Pick<NetworkCreateBody, "EnableIPv4" | "EnableIPv6" | "IPAM" | "Options" | "Labels">;

/** A network that holds the settings of `body`; driver options are read when one takes them. Throws as Docker. */
export function configRecord(body: NetworkCreateBody): NetworkRecord {
  if (body.Ingress === true || body.Internal === true || body.Attachable === true || (body.Scope ?? "") !== "") {
    throw new EngineError(
      "forbidden",
      "configuration network can only contain network specific fields. " +
        "Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
    );
  }
  if (body.ConfigFrom?.Network) {
    throw new EngineError("forbidden", "a configuration network cannot depend on another configuration network");
  }
  const { EnableIPv4 = null, EnableIPv6 = null, IPAM = null, Options = null, Labels = null } = body;
  const options = { ...Options };
  const families = familiesOf(body, options);
  const Config = IPAM?.Config ?? null;
  chosenSubnets(Config ?? [], families);
  return {
    id: randomId(),
    name: body.Name,
    driver: "null",
    created: new Date().toISOString(),
    ipam: { Driver: IPAM?.Driver || "default", Options: IPAM?.Options ?? null, Config },
    internal: false,
    attachable: false,
    options: shownOptions(body, options),
    labels: { ...Labels },
    held: { EnableIPv4, EnableIPv6, IPAM, Options, Labels },
  };
}

/** `body` with the settings of the network that it names, or as it is. Throws as Docker. */
export function withHeldSettings(
  body: NetworkCreateBody,
  find: (name: string) => NetworkRecord | undefined,
): NetworkCreateBody {
  const name = body.ConfigFrom?.Network ?? "";
  if (name === "") return body;
  const { IPAM, Labels, Options } = body;
  const ipamDriver = IPAM?.Driver || "default";
  const lists = [IPAM?.Config ?? [], Object.keys(IPAM?.Options ?? {}), Object.keys(Labels ?? {})];
  const families = familiesOf(body, Options ?? {});
  if (ipamDriver !== "default" || !families[4] || families[6] || lists.some(({ length }) => length > 0)) {
    const why = "user specified configurations are not supported if the network depends on a configuration network";
    throw new EngineError("forbidden", why);
  }
  if (Object.keys(Options ?? {}).length > 0) {
    const why = "network driver options are not supported if the network depends on a configuration network";
    throw new EngineError("forbidden", why);
  }
  const held = find(name)?.held;
  if (held === undefined) throw new EngineError("not-found", `configuration network "${name}" does not exist`);
  return { ...body, ...held };
}

/** Throws "forbidden" while another network has its settings from this one. */
export function assertHeldByNone({ name, held }: NetworkRecord, others: Iterable<NetworkRecord>): void {
  if (held === undefined || ![...others].some(({ configFrom }) => configFrom === name)) return;
  throw new EngineError("forbidden", `error while removing network: configuration network "${name}" is in use`);
}
