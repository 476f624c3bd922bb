/** Reads `--publish` and `--expose` (docker/go-connections nat's language). */
import type { PortMap } from "#api/types/container-config.ts";
import { parseInteger } from "../go.ts";

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Bindings by `port/proto` of specs such as `8080:80`, `127.0.0.1::80/udp`, `[::1]:8000-8010:8000-8010`,
 * `target=80,published=8080,protocol=tcp`. Throws Docker's messages.
 */
export function parsePublish(specs: readonly string[]): PortMap {
  const bindings: PortMap = {};
  for (const spec of specs) {
    for (const [port, hostIp, hostPort] of publishOne(spec.includes("=") ? fromLongForm(spec) : spec)) {
      const known = bindings[port] ?? [];
      bindings[port] = [...known, { HostIp: hostIp, HostPort: hostPort }];
    }
  }
  return bindings;
}

/** Ports as `port/proto` of specs such as `80`, `8000-8010/udp`. Throws Docker's messages. */
export function parseExpose(specs: readonly string[]): string[] {
  return specs.flatMap((spec) => {
    if (spec.includes(":")) throw new Error(`invalid port format for --expose: ${spec}`);
    const { proto, ports } = splitProto(spec);
    const message = (cause: string) => `invalid range format for --expose: ${spec}, error: ${cause}`;
    const range = parseRange(ports, message);
    return [...each(range)].map((port) => `${port}/${proto}`);
  });
}

function fromLongForm(spec: string): string {
  const fields: Record<string, string> = { protocol: "tcp" };
  for (const field of spec.split(",")) {
    const cut = field.indexOf("=");
    if (cut <= 0) throw new Error(`invalid publish opts format (should be name=value but got '${field}')`);
    fields[field.slice(0, cut)] = field.slice(cut + 1);
  }
  return `${fields["published"] ?? ""}:${fields["target"] ?? ""}/${fields["protocol"]}`;
}

function* publishOne(spec: string): Generator<[port: string, hostIp: string, hostPort: string]> {
  const parts = spec.split(":");
  const { proto, ports } = splitProto(parts.at(-1) ?? "");
  const hostPorts = parts.at(-2) ?? "";
  let address = parts.slice(0, -2).join(":");
  if (ports === "") throw new Error(`no port specified: ${spec}<empty>`);
  if (!["tcp", "udp", "sctp"].includes(proto)) throw new Error(`invalid proto: ${proto}`);
  if (address.startsWith("[")) {
    if (!address.endsWith("]"))
      throw new Error(`invalid IP address ${address}: address ${address}:: missing ']' in address`);
    address = address.slice(1, -1);
  }
  if (address !== "" && !isAddress(address)) throw new Error(`invalid IP address: ${address}`);
  const inside = parseRange(ports, () => `invalid containerPort: ${ports}`);
  const outside = hostPorts === "" ? undefined : parseRange(hostPorts, () => `invalid hostPort: ${hostPorts}`);
  const single = inside.first === inside.last;
  if (outside && !single && outside.last - outside.first !== inside.last - inside.first) {
    throw new Error(`invalid ranges specified for container and host Ports: ${ports} and ${hostPorts}`);
  }
  for (const port of each(inside)) {
    let host = "";
    // A range of host ports for one container port asks the daemon to choose among them.
    if (outside)
      host =
        single && outside.first !== outside.last
          ? `${outside.first}-${outside.last}`
          : String(outside.first + port - inside.first);
    yield [`${port}/${proto}`, address, host];
  }
}

function splitProto(text: string): { proto: string; ports: string } {
  const cut = text.indexOf("/");
  const proto = cut < 0 ? "" : text.slice(cut + 1);
  return { proto: (proto || "tcp").toLowerCase(), ports: cut < 0 ? text : text.slice(0, cut) };
}

function parseRange(text: string, message: (cause: string) => string): PortRange {
  const [start = "", end = start] = text.split("-");
  if (text === "") throw new Error(message("empty string specified for ports"));
  const first = port(start, message);
  const last = port(end, message);
  if (last < first) throw new Error(message(`invalid range specified for port: ${text}`));
  return { first, last };
}

function port(text: string, message: (cause: string) => string): number {
  try {
    return parseInteger(text, { bits: 16, signed: false });
  } catch (error) {
    throw new Error(message((error as Error).message), { cause: error });
  }
}

function* each({ first, last }: PortRange): Generator<number> {
  for (let number = first; number <= last; number++) yield number;
}

/** Whether the text is an IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  if (text.includes(":")) return URL.canParse(`http://[${text.replace(/%.*$/, "")}]/`) && !/[[\]/]/.test(text);
  return (
    /^(\d{1,3})(\.\d{1,3}){3}$/.test(text) &&
    text.split(".").every((part) => Number(part) < 256 && (part === "0" || !part.startsWith("0")))
  );
}
