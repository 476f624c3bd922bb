/** Talks to the kernel's networking over a netlink socket, one blocking exchange at a time (netlink(7)). */
import { EngineError } from "#lib/errors.ts";
import { closeFd } from "./descriptor.ts";
import { checked } from "./libc.ts";
import {
  attributeText,
  decodeMessages,
  encodeRequests,
  HEADER_LENGTH,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_MULTI,
  type NetlinkMessage,
  type NetlinkRequest,
  parseAttributes,
  viewOf,
} from "./netlink-message.ts";
import { EINTR, SyscallError } from "./syscall-error.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

/**
 * A netlink socket of the namespace that it was opened in. Calls block the thread for 20 µs and more;
 * a refusal throws a SyscallError that carries the kernel's own explanation (extended ACK).
 */
export class Netlink implements Disposable {
  readonly fd: number;
  #sequence = 1;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);

  /** Takes over `fd`, an AF_NETLINK socket: `close` closes it. */
  constructor(fd: number) {
    this.fd = fd;
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) {
      checked(
        "cannot configure a netlink socket",
        `${option}`,
        "setsockopt",
        fd,
        SOL_NETLINK,
        option,
        new Int32Array([1]),
        4,
      );
    }
  }

  /** Opens a socket in the namespace of the calling thread. */
  static open(protocol: typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER): Netlink {
    const type = SOCK_RAW | SOCK_CLOEXEC;
    return new Netlink(
      checked("cannot open a netlink socket", `protocol ${protocol}`, "socket", AF_NETLINK, type, protocol),
    );
  }

  /**
   * Sends all requests in one datagram. The kernel carries out every one in order, also behind a
   * refused one; the first refusal is thrown once all are answered.
   */
  execute(...requests: readonly NetlinkRequest[]): void {
    if (requests.length === 0) return;
    const first = this.#send(requests, NLM_F_ACK);
    let failure: SyscallError | undefined;
    for (let missing = requests.length; missing > 0;) {
      for (const message of this.#receive(first)) {
        if (message.type !== NLMSG_ERROR) continue;
        missing--;
        failure ??= refusal(message, requests[message.sequence - first]);
      }
    }
    if (failure !== undefined) throw failure;
  }

  /**
   * Sends requests to a subsystem of netfilter that takes them as one transaction (linux/netfilter/nfnetlink.h): all
   * are carried out or none. The first refusal is thrown.
   */
  executeBatch(subsystem: number, requests: readonly NetlinkRequest[]): void {
    const doing = requests[0]?.doing ?? "";
    const mark = (type: number): NetlinkRequest => ({ doing, type, flags: 0, body: Uint8Array.of(0, 0, 0, subsystem) });
    // Kernels differ in whether they acknowledge the marks, so only the last request asks for an answer.
    const acknowledged = requests.map((request, i) =>
      i < requests.length - 1 ? request : { ...request, flags: request.flags | NLM_F_ACK },
    );
    const all = [mark(NFNL_MSG_BATCH_BEGIN), ...acknowledged, mark(NFNL_MSG_BATCH_END)];
    const first = this.#send(all, 0);
    for (;;) {
      for (const message of this.#receive(first)) {
        if (message.type !== NLMSG_ERROR) continue;
        const failure = refusal(message, all[message.sequence - first]);
        if (failure !== undefined) throw failure;
        if (message.sequence === first + requests.length) return;
      }
    }
  }

  /** The single message that answers a request. */
  query(request: NetlinkRequest): NetlinkMessage {
    const first = this.#send([request], 0);
    for (;;) {
      for (const message of this.#receive(first)) {
        if (message.type !== NLMSG_ERROR) return copy(message);
        const failure = refusal(message, request);
        if (failure !== undefined) throw failure;
      }
    }
  }

  /** All messages of a listing. One that the kernel says changed underneath is asked for again. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const messages = this.#dumpOnce(request);
      if (messages !== undefined) return messages;
    }
    throw new EngineError(
      "unavailable",
      `${request.doing}: the kernel's list changed during each of ${DUMP_ATTEMPTS} readings`,
    );
  }

  close(): void {
    closeFd(this.fd);
  }
  [Symbol.dispose](): void {
    this.close();
  }

  #dumpOnce(request: NetlinkRequest): NetlinkMessage[] | undefined {
    const first = this.#send([request], NLM_F_DUMP);
    const found: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive(first)) {
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE) {
          const failure = message.body.length >= 4 ? refusal(message, request) : undefined;
          if (failure !== undefined && failure.errno !== EINTR) throw failure;
          return interrupted || failure !== undefined ? undefined : found;
        }
        if (message.type === NLMSG_ERROR) {
          const failure = refusal(message, request);
          if (failure !== undefined) throw failure;
        }
        found.push(copy(message));
        if ((message.flags & NLM_F_MULTI) === 0) return found;
      }
    }
  }

  /** Answers the sequence number of the first request. */
  #send(requests: readonly NetlinkRequest[], flags: number): number {
    const first = this.#sequence;
    this.#sequence = (first + requests.length) % 0x7fffffff;
    const bytes = encodeRequests(requests, flags, first);
    checked(
      requests[0]?.doing ?? "cannot talk to the kernel",
      "netlink",
      "sendto",
      this.fd,
      bytes,
      bytes.length,
      0,
      null,
      0,
    );
    return first;
  }

  /** Views into a buffer that the next call overwrites. Answers to older requests are dropped. */
  #receive(first: number): NetlinkMessage[] {
    const length = checked(
      "cannot read from a netlink socket",
      "",
      "recvfrom",
      this.fd,
      this.#buffer,
      RECEIVE_BYTES,
      0,
      null,
      null,
    );
    return decodeMessages(this.#buffer.subarray(0, length)).filter((message) => message.sequence >= first);
  }
}

/** Undefined for an acknowledgement. The body holds a negative errno and the header of the request, then attributes. */
function refusal(message: NetlinkMessage, request: NetlinkRequest | undefined): SyscallError | undefined {
  const errno = -viewOf(message.body).getInt32(0, true);
  if (errno === 0) return undefined;
  const behind = message.type === NLMSG_DONE ? 4 : 4 + HEADER_LENGTH;
  const attributes =
    (message.flags & NLM_F_ACK_TLVS) === 0 ? undefined : parseAttributes(message.body.subarray(behind));
  const explanation = attributes?.get(NLMSGERR_ATTR_MSG);
  return new SyscallError({
    doing: request?.doing ?? "cannot talk to the kernel",
    call: "netlink",
    args: request === undefined ? "" : `type ${request.type}`,
    errno,
    ...(explanation === undefined ? {} : { detail: attributeText(explanation) }),
  });
}

function copy(message: NetlinkMessage): NetlinkMessage {
  return { ...message, body: message.body.slice() };
}

// The kernel fills at most 32 KiB per datagram of a listing.
const RECEIVE_BYTES = 64 * 1024;
const DUMP_ATTEMPTS = 5;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
