/**
 * Leads port 53 of 127.0.0.11 to the sockets of the DNS server, whose ports are free ones: a container may itself serve
 * port 53 of all its addresses.
 *
 * The ports are rewritten in each packet, without connection tracking. So a query that is sent again reaches the
 * sockets of a new daemon, whatever their ports; and where no daemon runs nothing is refused: the kernel's "port
 * unreachable" names a port that no client has asked, and resets are dropped.
 */
import { duplicateForeign } from "#linux/foreign-descriptors.ts";
import { listenAt, portOf } from "#linux/inet-socket.ts";
import {
  addTable,
  address,
  drop,
  type FilterChain,
  listTables,
  port,
  protocol,
  setPort,
  tcpFlags,
} from "#linux/netlink-nftables.ts";
import { closeFd } from "#linux/descriptor.ts";
import { EADDRINUSE, hasErrno } from "#linux/syscall-error.ts";
import type { ServerSockets, SocketHolder } from "./protocol.ts";

const SERVER = Uint8Array.of(127, 0, 0, 11);
const DNS_PORT = 53;
const TCP = 6;
const UDP = 17;
const RST = 4;
/** Before connection tracking, so that what tracks sees one flow with one pair of ports. */
const BEFORE_TRACKING = -300;
const BEHIND_TRACKING = -150;
/** The table's name holds its ports: the kernel alone knows what a daemon left. */
const TABLE = /^berth_dns_(\d+)_(\d+)$/;

/**
 * Opens the sockets in the namespace of the calling thread and leads queries to them. Those that a process still holds
 * are taken from it, with the queries that wait in them; else the ports are those of an earlier daemon where they are
 * free. The caller closes both. Throws SyscallError.
 */
export function openServer(holder: SocketHolder | undefined): ServerSockets {
  const tables = listTables().filter((name) => TABLE.test(name));
  const [, udpBefore = "0", tcpBefore = "0"] = TABLE.exec(tables[0] ?? "") ?? [];
  const [heldUdp, heldTcp] = holder === undefined ? [] : duplicateForeign(holder.pid, [holder.udp, holder.tcp]);
  const udp = obtain("udp", Number(udpBefore), heldUdp);
  try {
    const tcp = obtain("tcp", Number(tcpBefore), heldTcp);
    try {
      const name = `berth_dns_${udp.port}_${tcp.port}`;
      if (!tables.includes(name)) addTable(name, chains(udp.port, tcp.port), tables);
      return { udp: udp.fd, tcp: tcp.fd };
    } catch (error) {
      closeFd(tcp.fd);
      throw error;
    }
  } catch (error) {
    closeFd(udp.fd);
    throw error;
  }
}

/** The held socket where it is the one that queries are led to, else a new one on that port, else on any. */
function obtain(transport: "udp" | "tcp", wanted: number, held: number | undefined): { fd: number; port: number } {
  if (held !== undefined) {
    if (wanted !== 0 && portOf(held, { bytes: SERVER }) === wanted) return { fd: held, port: wanted };
    closeFd(held);
  }
  try {
    return listenAt(transport, { bytes: SERVER }, wanted);
  } catch (error) {
    // Somebody in the container has the port now.
    if (wanted === 0 || !hasErrno(error, EADDRINUSE)) throw error;
    return listenAt(transport, { bytes: SERVER }, 0);
  }
}

function chains(udp: number, tcp: number): FilterChain[] {
  const to = address("destination", SERVER);
  const from = address("source", SERVER);
  return [
    {
      name: "queries",
      hook: "output",
      priority: BEFORE_TRACKING,
      rules: [
        [to, protocol(UDP), port("destination", DNS_PORT), setPort("destination", UDP, udp)],
        [to, protocol(TCP), port("destination", DNS_PORT), setPort("destination", TCP, tcp)],
      ],
    },
    {
      name: "answers",
      hook: "output",
      priority: BEHIND_TRACKING,
      rules: [
        [from, protocol(UDP), port("source", udp), setPort("source", UDP, DNS_PORT)],
        [from, protocol(TCP), port("source", tcp), tcpFlags(RST), drop],
        [from, protocol(TCP), port("source", tcp), setPort("source", TCP, DNS_PORT)],
      ],
    },
  ];
}
