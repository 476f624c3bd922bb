/**
 * Reads what the old iptables and ip6tables, which nftables cannot see, does with forwarded packets (linux/netfilter_ipv4/ip_tables.h,
 * linux/netfilter_ipv6/ip6_tables.h).
 */
import { readFileSync } from "node:fs";
import type { IpFamily } from "#lib/ip.ts";
import { closeFd } from "./descriptor.ts";
import { checked, O_CLOEXEC } from "./libc.ts";
import { viewOf } from "./netlink-message.ts";

export interface LegacyForward {
  /** The policy of FORWARD is DROP. */
  drops: boolean;
  /** Interfaces that rules of the filter table name. */
  devices: ReadonlySet<string>;
}

/** Of this network namespace. Undefined where the kernel has not loaded the filter table; asking does not load it. */
export function legacyForward(family: IpFamily): LegacyForward | undefined {
  const { names, domain, level, entry } = FAMILY[family];
  if (!filterIsLoaded(names)) return undefined;
  const doing = "cannot read the legacy iptables";
  const socket = checked(doing, "raw", "socket", domain, SOCK_RAW | O_CLOEXEC, IPPROTO_RAW);
  try {
    const info = new Uint8Array(INFO_LENGTH);
    info.set(FILTER);
    checked(
      doing,
      "IPT_SO_GET_INFO",
      "getsockopt",
      socket,
      level,
      IPT_SO_GET_INFO,
      info,
      new Int32Array([INFO_LENGTH]),
    );
    const size = viewOf(info).getUint32(INFO_SIZE, true);
    const answer = new Uint8Array(ENTRIES + size);
    answer.set(FILTER);
    viewOf(answer).setUint32(TABLE_NAME, size, true);
    const length = new Int32Array([answer.length]);
    checked(doing, "IPT_SO_GET_ENTRIES", "getsockopt", socket, level, IPT_SO_GET_ENTRIES, answer, length);
    const policy = viewOf(info).getUint32(INFO_UNDERFLOW + 4 * NF_INET_FORWARD, true);
    return parse(answer.subarray(ENTRIES), policy, entry);
  } finally {
    closeFd(socket);
  }
}

/** `policy` is where the chain's last entry is, which carries the policy as a standard target. */
function parse(entries: Uint8Array, policy: number, entry: EntryLayout): LegacyForward {
  const view = viewOf(entries);
  const devices = new Set<string>();
  for (let at = 0; at + entry.length <= entries.length;) {
    for (const name of [entry.in, entry.out]) {
      const text = textAt(entries, at + name);
      if (text !== "") devices.add(text);
    }
    const next = view.getUint16(at + entry.target + 2, true);
    if (next === 0) break;
    at += next;
  }
  const target = policy + view.getUint16(policy + entry.target, true);
  return { drops: view.getInt32(target + TARGET_VERDICT, true) === DROP_VERDICT, devices };
}

function textAt(bytes: Uint8Array, at: number): string {
  const raw = bytes.subarray(at, at + IFNAMSIZ);
  const end = raw.indexOf(0);
  return new TextDecoder().decode(raw.subarray(0, end < 0 ? IFNAMSIZ : end));
}

function filterIsLoaded(names: string): boolean {
  try {
    return readFileSync(names, "utf8").split("\n").includes("filter");
  } catch {
    return false;
  }
}

const FILTER = new TextEncoder().encode("filter");
const SOCK_RAW = 3;
const IPPROTO_RAW = 255;
const IPT_SO_GET_INFO = 64;
const IPT_SO_GET_ENTRIES = 65;
const TABLE_NAME = 32;
const NF_INET_FORWARD = 2;
/** ipt_getinfo: name, valid_hooks, hook_entry[5], underflow[5], num_entries, size. */
const INFO_UNDERFLOW = TABLE_NAME + 4 + 5 * 4;
const INFO_SIZE = INFO_UNDERFLOW + 5 * 4 + 4;
const INFO_LENGTH = INFO_SIZE + 4;
/** ipt_get_entries: name, size, then entries on a boundary of 8. */
const ENTRIES = TABLE_NAME + 8;
/** Where an entry has its interfaces and the offsets of its target and of the next entry; its length without matches. */
interface EntryLayout {
  in: number;
  out: number;
  target: number;
  length: number;
}

/** ipt_entry and ip6t_entry: addresses and interfaces, nfcache, target_offset, next_offset, comefrom, counters. */
const FAMILY = {
  4: {
    names: "/proc/net/ip_tables_names",
    domain: 2,
    level: 0,
    entry: { in: 16, out: 32, target: 88, length: 112 },
  },
  6: {
    names: "/proc/net/ip6_tables_names",
    domain: 10,
    level: 41,
    entry: { in: 64, out: 80, target: 140, length: 168 },
  },
} as const satisfies Record<IpFamily, { names: string; domain: number; level: number; entry: EntryLayout }>;
/** Behind xt_entry_target. */
const TARGET_VERDICT = 32;
const DROP_VERDICT = -1;
const IFNAMSIZ = 16;
