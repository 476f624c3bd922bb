/** The netlink wire form: headers, and attributes that nest (netlink(7); linux/netlink.h). Numbers are in host order. */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** On a request that lists everything. */
export const NLM_F_DUMP = 0x300;

export const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER_LENGTH = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** One request before it has a header. `doing` opens the message of the error that refuses it. */
export interface NetlinkRequest {
  readonly doing: string;
  readonly type: number;
  /** Without NLM_F_REQUEST and NLM_F_ACK, which are added when it is sent. */
  readonly flags: number;
  /** Family header and attributes. */
  readonly body: Uint8Array;
}

/** One message from the kernel. `body` starts behind the netlink header. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** Appends a family header and attributes; `bytes` is what was written so far. */
export class BodyWriter {
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** A fixed structure, such as ifinfomsg, without attribute header. */
  struct(size: number, fill: (view: DataView) => void): this {
    const at = this.#grow(size);
    fill(new DataView(this.#buffer.buffer, at, size));
    return this;
  }

  u8(type: number, value: number): this {
    return this.#attribute(type, 1, (at) => this.#view.setUint8(at, value));
  }
  u16(type: number, value: number): this {
    return this.#attribute(type, 2, (at) => this.#view.setUint16(at, value, true));
  }
  u32(type: number, value: number): this {
    return this.#attribute(type, 4, (at) => this.#view.setUint32(at, value, true));
  }
  /** In network order: ports travel so, and all numbers of nftables. */
  u32be(type: number, value: number): this {
    return this.#attribute(type, 4, (at) => this.#view.setUint32(at, value, false));
  }
  u16be(type: number, value: number): this {
    return this.#attribute(type, 2, (at) => this.#view.setUint16(at, value, false));
  }
  data(type: number, value: Uint8Array): this {
    return this.#attribute(type, value.length, (at) => this.#buffer.set(value, at));
  }
  /** NUL-terminated. */
  string(type: number, value: string): this {
    return this.data(type, new TextEncoder().encode(`${value}\0`));
  }
  nested(type: number, fill: (writer: this) => void): this {
    const at = this.#grow(ATTRIBUTE_HEADER_LENGTH);
    fill(this);
    this.#view.setUint16(at, this.#length - at, true);
    this.#view.setUint16(at + 2, type | NLA_F_NESTED, true);
    return this;
  }

  #attribute(type: number, length: number, put: (at: number) => void): this {
    const at = this.#grow(ATTRIBUTE_HEADER_LENGTH + length);
    this.#view.setUint16(at, ATTRIBUTE_HEADER_LENGTH + length, true);
    this.#view.setUint16(at + 2, type, true);
    put(at + ATTRIBUTE_HEADER_LENGTH);
    return this;
  }

  /** Reserves zeroed space, padded to 4 bytes, and answers where it starts. */
  #grow(size: number): number {
    const at = this.#length;
    this.#length += align(size);
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Attributes by type; of repeated ones the last. Values are views into `bytes`. */
export function parseAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  for (let at = 0; at + ATTRIBUTE_HEADER_LENGTH <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_LENGTH || at + length > bytes.length) break;
    found.set(view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + ATTRIBUTE_HEADER_LENGTH, at + length));
    at += align(length);
  }
  return found;
}

/** Text of a NUL-terminated attribute. */
export function attributeText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** Little-endian number of 1, 2 or 4 bytes, by the attribute's length. */
export function attributeNumber(value: Uint8Array): number {
  const view = viewOf(value);
  if (value.length >= 4) return view.getUint32(0, true);
  return value.length >= 2 ? view.getUint16(0, true) : (value[0] ?? 0);
}

/** Requests one behind the other in one datagram, numbered from `sequence`. */
export function encodeRequests(requests: readonly NetlinkRequest[], flags: number, sequence: number): Uint8Array {
  const total = requests.reduce((sum, { body }) => sum + HEADER_LENGTH + align(body.length), 0);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let at = 0;
  requests.forEach((request, i) => {
    view.setUint32(at, HEADER_LENGTH + request.body.length, true);
    view.setUint16(at + 4, request.type, true);
    view.setUint16(at + 6, NLM_F_REQUEST | flags | request.flags, true);
    view.setUint32(at + 8, sequence + i, true);
    bytes.set(request.body, at + HEADER_LENGTH);
    at += HEADER_LENGTH + align(request.body.length);
  });
  return bytes;
}

/** The messages of one datagram, as views into it. */
export function decodeMessages(datagram: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(datagram);
  for (let at = 0; at + HEADER_LENGTH <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_LENGTH || at + length > datagram.length) break;
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: datagram.subarray(at + HEADER_LENGTH, at + length),
    });
    at += align(length);
  }
  return messages;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function align(length: number): number {
  return (length + 3) & ~3;
}
