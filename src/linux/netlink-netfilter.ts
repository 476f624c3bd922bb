/** The two things nfnetlink is asked for directly: whether anyone changed nftables, and to forget flows. */
import { addressFromBytes, formatAddress, type IpAddress, type IpFamily } from "#lib/ip.ts";
import { BodyWriter, type NetlinkRequest, parseAttributes, viewOf } from "./netlink-message.ts";
import type { Netlink } from "./netlink.ts";
import { ENOENT, hasErrno } from "./syscall-error.ts";

/** Grows by one with every transaction that changes nftables in this network namespace, whoever makes it. */
export function nftablesGeneration(netlink: Netlink): number {
  const body = header(0).bytes;
  const doing = "cannot read the generation of nftables";
  const answer = netlink.query({ doing, type: (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN, flags: 0, body });
  const id = parseAttributes(answer.body.subarray(NFGENMSG)).get(NFTA_GEN_ID);
  return id === undefined ? 0 : viewOf(id).getUint32(0, false);
}

/** Which tracked flows are meant: those of a family that were first sent to `port`, on any address. */
export interface FlowsTo {
  family: IpFamily;
  protocol: "tcp" | "udp" | "sctp";
  port: number;
  /** Only those that were led to this address. */
  target?: IpAddress;
}

/**
 * Forgets flows. NAT is decided once per flow, and a client that keeps sending would keep reaching what the port was
 * before (or nobody). The kernel walks its whole table, once for each family and protocol: 50 ms where it holds
 * 50,000 flows, so this is not for the main thread. Kernels before 5.8 list too much; all is compared here again.
 */
export function forgetFlows(netlink: Netlink, flows: readonly FlowsTo[]): number {
  let forgotten = 0;
  for (const alike of Object.values(Object.groupBy(flows, ({ family, protocol }) => `${family} ${protocol}`)))
    forgotten += forgetAlike(netlink, alike ?? []);
  return forgotten;
}

/** Flows of one family and protocol. */
function forgetAlike(netlink: Netlink, flows: readonly FlowsTo[]): number {
  const [first] = flows;
  if (first === undefined) return 0;
  const { family } = first;
  const number = PROTOCOLS[first.protocol];
  // The addresses that each port led to; undefined: all.
  const wanted = Map.groupBy(
    flows.map(({ port, target }) => ({ port, target: target === undefined ? undefined : formatAddress(target) })),
    ({ port }) => port,
  );
  const onePort = wanted.size === 1;
  const body = header(AF[family])
    .nested(CTA_TUPLE_ORIG, (tuple) => {
      tuple.nested(CTA_TUPLE_PROTO, (proto) => {
        proto.u8(CTA_PROTO_NUM, number);
        if (onePort) proto.u16be(CTA_PROTO_DST_PORT, first.port);
      });
    })
    .nested(CTA_FILTER, (filter) =>
      filter.u32(CTA_FILTER_ORIG_FLAGS, FILTER_PROTO_NUM | (onePort ? FILTER_PROTO_DST_PORT : 0)),
    );
  const list = {
    doing: "cannot list tracked flows",
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
    flags: 0,
    body: body.bytes,
  };
  let forgotten = 0;
  for (const message of netlink.dump(list)) {
    const flow = parseAttributes(message.body.subarray(NFGENMSG));
    const tuple = flow.get(CTA_TUPLE_ORIG);
    const port = tuple === undefined ? undefined : portOf(tuple, number);
    const targets = port === undefined ? undefined : wanted.get(port);
    if (tuple === undefined || targets === undefined) continue;
    const source = sourceOf(flow.get(CTA_TUPLE_REPLY));
    if (!targets.some(({ target }) => target === undefined || target === source)) continue;
    if (remove(netlink, family, tuple)) forgotten++;
  }
  return forgotten;
}

function remove(netlink: Netlink, family: IpFamily, tuple: Uint8Array): boolean {
  const body = header(AF[family]).data(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple).bytes;
  const request: NetlinkRequest = {
    doing: "cannot forget a tracked flow",
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
    flags: 0,
    body,
  };
  try {
    netlink.execute(request);
    return true;
  } catch (error) {
    if (hasErrno(error, ENOENT)) return false;
    throw error;
  }
}

/** Where a flow of that protocol was first sent to; undefined for one of another. */
function portOf(tuple: Uint8Array, protocol: number): number | undefined {
  const proto = parseAttributes(parseAttributes(tuple).get(CTA_TUPLE_PROTO) ?? new Uint8Array(0));
  const to = proto.get(CTA_PROTO_DST_PORT);
  if (proto.get(CTA_PROTO_NUM)?.[0] !== protocol || to === undefined) return undefined;
  return viewOf(to).getUint16(0, false);
}

/** Whose answers the flow expects. */
function sourceOf(tuple: Uint8Array | undefined): string | undefined {
  const parts = parseAttributes(tuple ?? new Uint8Array(0)).get(CTA_TUPLE_IP);
  const addresses = parseAttributes(parts ?? new Uint8Array(0));
  const source = addresses.get(CTA_IP_V4_SRC) ?? addresses.get(CTA_IP_V6_SRC);
  return source === undefined ? undefined : formatAddress(addressFromBytes(source));
}

/** nfgenmsg: family, version, resource. */
function header(family: number): BodyWriter {
  return new BodyWriter().struct(NFGENMSG, (view) => view.setUint8(0, family));
}

const NFGENMSG = 4;
const AF = { 4: 2, 6: 10 } as const satisfies Record<IpFamily, number>;
const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const NLA_F_NESTED = 0x8000;

const NFNL_SUBSYS_CTNETLINK = 1;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;

const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V6_SRC = 3;
const CTA_TUPLE_PROTO = 2;
const CTA_FILTER = 25;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_PROTO_DST_PORT = 1 << 5;
