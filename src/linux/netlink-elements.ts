/**
 * Elements of nftables' sets and maps, written as the kernel reads them (linux/netfilter/nf_tables.h): libnftables reads
 * all tables, chains and sets before each change, 40 calls to the kernel where this takes one.
 */
import { BodyWriter, type NetlinkRequest, NLM_F_CREATE } from "./netlink-message.ts";
import type { Netlink } from "./netlink.ts";

/** Bytes in network order; where a key or value has several parts, each is padded to four bytes. */
export interface SetElement {
  readonly set: string;
  readonly key: Uint8Array;
  /** Of a map. */
  readonly value?: Uint8Array;
}

/** What fits into a socket's buffer at once. */
export const MOST_ELEMENTS = 500;

/**
 * Adds or deletes up to MOST_ELEMENTS elements of a table of family inet, all or none; one that is there already may be
 * added again. Throws SyscallError: "not-found" for an element, set or table that is not there.
 */
export function changeElements(
  netlink: Netlink,
  doing: string,
  table: string,
  change: "add" | "delete",
  elements: readonly SetElement[],
): void {
  if (elements.length === 0) return;
  const [message, flags] = change === "add" ? [NFT_MSG_NEWSETELEM, NLM_F_CREATE] : [NFT_MSG_DELSETELEM, 0];
  const type = (NFNL_SUBSYS_NFTABLES << 8) | message;
  const requests = elements.map(({ set, key, value }): NetlinkRequest => {
    const body = new BodyWriter()
      .struct(NFGENMSG, (view) => view.setUint8(0, NFPROTO_INET))
      .string(NFTA_SET_ELEM_LIST_TABLE, table)
      .string(NFTA_SET_ELEM_LIST_SET, set)
      .nested(NFTA_SET_ELEM_LIST_ELEMENTS, (list) =>
        list.nested(NFTA_LIST_ELEM, (element) => {
          element.nested(NFTA_SET_ELEM_KEY, (data) => data.data(NFTA_DATA_VALUE, key));
          if (value !== undefined && change === "add")
            element.nested(NFTA_SET_ELEM_DATA, (data) => data.data(NFTA_DATA_VALUE, value));
        }),
      );
    return { doing, type, flags, body: body.bytes };
  });
  netlink.executeBatch(NFNL_SUBSYS_NFTABLES, requests);
}

const NFGENMSG = 4;
const NFPROTO_INET = 1;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_DATA_VALUE = 1;
