/** Looks into other network namespaces from the host's socket, without entering them (linux/net_namespace.h). */
import { closeFd, openPath } from "./descriptor.ts";
import { attributeNumber, BodyWriter, type NetlinkRequest, parseAttributes } from "./netlink-message.ts";
import type { Netlink } from "./netlink.ts";
import { EEXIST, hasErrno } from "./syscall-error.ts";

/**
 * The number by which the namespace of `netlink` knows the one at `path`; one is given where there is none. It goes
 * with the namespace.
 */
export function namespaceNumber(netlink: Netlink, path: string): number {
  const fd = openPath(path, 0);
  try {
    const known = numberOf(netlink, fd);
    if (known !== undefined) return known;
    try {
      netlink.execute(request("cannot number a network namespace", RTM_NEWNSID, fd, ANY));
    } catch (error) {
      if (!hasErrno(error, EEXIST)) throw error;
    }
    return numberOf(netlink, fd) ?? ANY;
  } finally {
    closeFd(fd);
  }
}

function numberOf(netlink: Netlink, fd: number): number | undefined {
  const answer = netlink.query(request("cannot find the number of a network namespace", RTM_GETNSID, fd));
  const raw = parseAttributes(answer.body.subarray(RTGENMSG)).get(NETNSA_NSID);
  const number = raw === undefined ? ANY : attributeNumber(raw);
  return number === ANY ? undefined : number;
}

function request(doing: string, type: number, fd: number, wanted?: number): NetlinkRequest {
  const body = new BodyWriter().struct(RTGENMSG, () => {}).u32(NETNSA_FD, fd);
  if (wanted !== undefined) body.u32(NETNSA_NSID, wanted);
  return { doing, type, flags: 0, body: body.bytes };
}

/** rtgenmsg, padded. */
const RTGENMSG = 4;
/** -1: none, or whichever is free. */
const ANY = 0xffffffff;
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
