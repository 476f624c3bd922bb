/**
 * Writes nftables rules as the kernel reads them (linux/netfilter/nf_tables.h): libnftables cannot leave out what
 * takes the kernel 10 ms, this takes 0.1. For a few rules that never change; everything else goes through nftables.ts.
 */
import {
  attributeText,
  BodyWriter,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  parseAttributes,
} from "./netlink-message.ts";
import { Netlink, NETLINK_NETFILTER } from "./netlink.ts";

/** One step of a rule: loads a field, compares it, sets it, or ends the rule. */
type Expression = (rule: BodyWriter) => void;

export interface FilterChain {
  readonly name: string;
  readonly hook: "output";
  readonly priority: number;
  readonly rules: readonly (readonly Expression[])[];
}

/**
 * Makes the table `name` (family ip) with these filter chains in the namespace of the calling thread and removes the
 * tables `replaced`, in one transaction. Taking 0.1 ms, it takes 10 where something is replaced. Throws SyscallError,
 * "conflict" where there is one of that name.
 */
export function addTable(name: string, chains: readonly FilterChain[], replaced: readonly string[]): void {
  const doing = `cannot make the nftables table ${name}`;
  const requests = [
    ...replaced.map((old) => request(doing, NFT_MSG_DELTABLE, 0, (body) => body.string(NFTA_TABLE_NAME, old))),
    request(doing, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, (body) => body.string(NFTA_TABLE_NAME, name)),
    ...chains.flatMap((chain) => [
      request(doing, NFT_MSG_NEWCHAIN, NLM_F_CREATE, (body) => writeChain(body, name, chain)),
      ...chain.rules.map((rule) =>
        request(doing, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, (body) => writeRule(body, name, chain.name, rule)),
      ),
    ]),
  ];
  using netlink = Netlink.open(NETLINK_NETFILTER);
  netlink.executeBatch(NFNL_SUBSYS_NFTABLES, requests);
}

/** Names of the tables of family ip in the namespace of the calling thread. */
export function listTables(): string[] {
  using netlink = Netlink.open(NETLINK_NETFILTER);
  return netlink.dump(request("cannot list nftables' tables", NFT_MSG_GETTABLE, 0, () => {})).flatMap(({ body }) => {
    const name = parseAttributes(body.subarray(NFGENMSG)).get(NFTA_TABLE_NAME);
    return name === undefined ? [] : [attributeText(name)];
  });
}

/** Matches packets whose IPv4 source or destination is `address`, as four bytes. */
export function address(side: "source" | "destination", bytes: Uint8Array): Expression {
  return matching(NETWORK_HEADER, side === "source" ? 12 : 16, bytes);
}

/** Matches a transport protocol by its number. */
export function protocol(number: number): Expression {
  return (rule) => {
    expression(rule, "meta", (data) => data.u32be(NFTA_META_DREG, REGISTER).u32be(NFTA_META_KEY, NFT_META_L4PROTO));
    compare(rule, Uint8Array.of(number));
  };
}

/** Matches a TCP or UDP port. */
export function port(side: "source" | "destination", value: number): Expression {
  return matching(TRANSPORT_HEADER, side === "source" ? 0 : 2, portBytes(value));
}

/** Matches TCP segments that have all of these flags. */
export function tcpFlags(flags: number): Expression {
  return (rule) => {
    load(rule, TRANSPORT_HEADER, 13, 1);
    expression(rule, "bitwise", (data) =>
      data
        .u32be(NFTA_BITWISE_SREG, REGISTER)
        .u32be(NFTA_BITWISE_DREG, REGISTER)
        .u32be(NFTA_BITWISE_LEN, 1)
        .nested(NFTA_BITWISE_MASK, (mask) => mask.data(NFTA_DATA_VALUE, Uint8Array.of(flags)))
        .nested(NFTA_BITWISE_XOR, (xor) => xor.data(NFTA_DATA_VALUE, Uint8Array.of(0))),
    );
    compare(rule, Uint8Array.of(flags));
  };
}

/** Writes another port into the packet, without connection tracking. */
export function setPort(side: "source" | "destination", protocolNumber: 6 | 17, value: number): Expression {
  return (rule) => {
    expression(rule, "immediate", (data) =>
      data
        .u32be(NFTA_IMMEDIATE_DREG, REGISTER)
        .nested(NFTA_IMMEDIATE_DATA, (inner) => inner.data(NFTA_DATA_VALUE, portBytes(value))),
    );
    expression(rule, "payload", (data) =>
      data
        .u32be(NFTA_PAYLOAD_SREG, REGISTER)
        .u32be(NFTA_PAYLOAD_BASE, TRANSPORT_HEADER)
        .u32be(NFTA_PAYLOAD_OFFSET, side === "source" ? 0 : 2)
        .u32be(NFTA_PAYLOAD_LEN, 2)
        .u32be(NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET)
        .u32be(NFTA_PAYLOAD_CSUM_OFFSET, protocolNumber === 6 ? 16 : 6),
    );
  };
}

/** Drops the packet. */
export function drop(rule: BodyWriter): void {
  expression(rule, "immediate", (data) =>
    data
      .u32be(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
      .nested(NFTA_IMMEDIATE_DATA, (inner) =>
        inner.nested(NFTA_DATA_VERDICT, (verdict) => verdict.u32be(NFTA_VERDICT_CODE, NF_DROP)),
      ),
  );
}

function matching(base: number, offset: number, bytes: Uint8Array): Expression {
  return (rule) => {
    load(rule, base, offset, bytes.length);
    compare(rule, bytes);
  };
}

function load(rule: BodyWriter, base: number, offset: number, length: number): void {
  expression(rule, "payload", (data) =>
    data
      .u32be(NFTA_PAYLOAD_DREG, REGISTER)
      .u32be(NFTA_PAYLOAD_BASE, base)
      .u32be(NFTA_PAYLOAD_OFFSET, offset)
      .u32be(NFTA_PAYLOAD_LEN, length),
  );
}

function compare(rule: BodyWriter, bytes: Uint8Array): void {
  expression(rule, "cmp", (data) =>
    data
      .u32be(NFTA_CMP_SREG, REGISTER)
      .u32be(NFTA_CMP_OP, NFT_CMP_EQ)
      .nested(NFTA_CMP_DATA, (inner) => inner.data(NFTA_DATA_VALUE, bytes)),
  );
}

function expression(rule: BodyWriter, name: string, fill: (data: BodyWriter) => void): void {
  rule.nested(NFTA_LIST_ELEM, (element) => element.string(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, fill));
}

function writeChain(body: BodyWriter, table: string, { name, priority }: FilterChain): void {
  body
    .string(NFTA_CHAIN_TABLE, table)
    .string(NFTA_CHAIN_NAME, name)
    .nested(NFTA_CHAIN_HOOK, (hook) =>
      hook.u32be(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT).u32be(NFTA_HOOK_PRIORITY, priority >>> 0),
    )
    .string(NFTA_CHAIN_TYPE, "filter");
}

function writeRule(body: BodyWriter, table: string, chain: string, rule: readonly Expression[]): void {
  body
    .string(NFTA_RULE_TABLE, table)
    .string(NFTA_RULE_CHAIN, chain)
    .nested(NFTA_RULE_EXPRESSIONS, (list) => {
      for (const one of rule) one(list);
    });
}

function request(doing: string, message: number, flags: number, fill: (body: BodyWriter) => void): NetlinkRequest {
  const body = new BodyWriter().struct(NFGENMSG, (view) => view.setUint8(0, NFPROTO_IPV4));
  fill(body);
  return { doing, type: (NFNL_SUBSYS_NFTABLES << 8) | message, flags, body: body.bytes };
}

function portBytes(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

const NFNL_SUBSYS_NFTABLES = 10;
const NFGENMSG = 4;
const NFPROTO_IPV4 = 2;
const NLM_F_APPEND = 0x800;
const NF_INET_LOCAL_OUT = 3;
const NF_DROP = 0;

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;

const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_TYPE = 7;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;

const NFT_REG_VERDICT = 0;
/** NFT_REG32_00: any will do, as no step keeps more than one value. */
const REGISTER = 8;

const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const NFTA_PAYLOAD_DREG = 1;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_PAYLOAD_LEN = 4;
const NFTA_PAYLOAD_SREG = 5;
const NFTA_PAYLOAD_CSUM_TYPE = 6;
const NFTA_PAYLOAD_CSUM_OFFSET = 7;
const NFT_PAYLOAD_CSUM_INET = 1;
const NFTA_META_DREG = 1;
const NFTA_META_KEY = 2;
const NFT_META_L4PROTO = 16;
const NFTA_CMP_SREG = 1;
const NFTA_CMP_OP = 2;
const NFTA_CMP_DATA = 3;
const NFT_CMP_EQ = 0;
const NFTA_BITWISE_SREG = 1;
const NFTA_BITWISE_DREG = 2;
const NFTA_BITWISE_LEN = 3;
const NFTA_BITWISE_MASK = 4;
const NFTA_BITWISE_XOR = 5;
const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;
