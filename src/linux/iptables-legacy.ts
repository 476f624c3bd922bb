/** Reads what the old iptables, which nftables cannot see, does with forwarded packets (linux/netfilter_ipv4/ip_tables.h). */
import { readFileSync } from "node:fs";
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
export function legacyForward(): LegacyForward | undefined {
  if (!filterIsLoaded()) return undefined;
  const doing = "cannot read the legacy iptables";
  const socket = checked(doing, "raw", "socket", AF_INET, SOCK_RAW | O_CLOEXEC, IPPROTO_RAW);
  try {
    const info = new Uint8Array(INFO_LENGTH);
    info.set(FILTER);
    checked(doing, "IPT_SO_GET_INFO", "getsockopt", socket, 0, IPT_SO_GET_INFO, info, new Int32Array([INFO_LENGTH]));
    const size = viewOf(info).getUint32(INFO_SIZE, true);
    const answer = new Uint8Array(ENTRIES + size);
    answer.set(FILTER);
    viewOf(answer).setUint32(TABLE_NAME, size, true);
    const length = new Int32Array([answer.length]);
    checked(doing, "IPT_SO_GET_ENTRIES", "getsockopt", socket, 0, IPT_SO_GET_ENTRIES, answer, length);
    return parse(answer.subarray(ENTRIES), viewOf(info).getUint32(INFO_UNDERFLOW + 4 * NF_INET_FORWARD, true));
  } finally {
    closeFd(socket);
  }
}

/** `policy` is where the chain's last entry is, which carries the policy as a standard target. */
function parse(entries: Uint8Array, policy: number): LegacyForward {
  const view = viewOf(entries);
  const devices = new Set<string>();
  for (let at = 0; at + ENTRY_LENGTH <= entries.length;) {
    for (const name of [ENTRY_IN, ENTRY_OUT]) {
      const text = textAt(entries, at + name);
      if (text !== "") devices.add(text);
    }
    const next = view.getUint16(at + ENTRY_NEXT, true);
    if (next === 0) break;
    at += next;
  }
  const target = policy + view.getUint16(policy + ENTRY_TARGET, true);
  return { drops: view.getInt32(target + TARGET_VERDICT, true) === DROP_VERDICT, devices };
}

function textAt(bytes: Uint8Array, at: number): string {
  const raw = bytes.subarray(at, at + IFNAMSIZ);
  const end = raw.indexOf(0);
  return new TextDecoder().decode(raw.subarray(0, end < 0 ? IFNAMSIZ : end));
}

function filterIsLoaded(): boolean {
  try {
    return readFileSync("/proc/net/ip_tables_names", "utf8").split("\n").includes("filter");
  } catch {
    return false;
  }
}

const FILTER = new TextEncoder().encode("filter");
const AF_INET = 2;
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
/** ipt_entry: ipt_ip (84), nfcache, target_offset, next_offset, comefrom, counters. */
const ENTRY_IN = 16;
const ENTRY_OUT = 32;
const ENTRY_TARGET = 88;
const ENTRY_NEXT = 90;
const ENTRY_LENGTH = 112;
/** Behind xt_entry_target. */
const TARGET_VERDICT = 32;
const DROP_VERDICT = -1;
const IFNAMSIZ = 16;
