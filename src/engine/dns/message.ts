/** Reads DNS questions and writes answers to them (RFC 1035, RFC 6891), on the bytes themselves. */

export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
export const TYPE_ANY = 255;
export const CLASS_IN = 1;
const TYPE_OPT = 41;

const NOERROR = 0;
export const FORMERR = 1;
export const SERVFAIL = 2;
export const NOTIMP = 4;
export const REFUSED = 5;
const BADVERS = 16;

/** A message without EDNS has at most this length on UDP. */
const PLAIN_LIMIT = 512;
/** What we take on UDP. */
export const UDP_LIMIT = 4096;
const HEADER = 12;
const MAX_NAME = 255;
const QR = 0x8000;
const OPCODE = 0x7800;
const TC = 0x0200;
const RD = 0x0100;
const RA = 0x0080;
const CD = 0x0010;
/** As Docker. */
const TTL = 600;

/** A message that asks one question. */
export interface Query {
  readonly bytes: Uint8Array;
  readonly id: number;
  /** Lower case, without the dot at the end, a byte per character. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question ends. */
  readonly end: number;
  /** How long an answer on UDP may be. */
  readonly limit: number;
  /** Undefined where the asker does not speak EDNS. */
  readonly ednsVersion: number | undefined;
}

/** What is to be said to a message that is no query: nothing (undefined), or an answer of that code. */
type NoQuery = typeof FORMERR | typeof NOTIMP | undefined;

/** `bytes` is kept: hand over a copy where it will be overwritten. */
export function parseQuery(bytes: Uint8Array): Query | NoQuery {
  if (bytes.length < HEADER) return undefined;
  const view = viewOf(bytes);
  const flags = view.getUint16(2);
  // An answer to an answer could go on for ever.
  if ((flags & QR) !== 0) return undefined;
  if ((flags & OPCODE) !== 0) return NOTIMP;
  if (view.getUint16(4) !== 1) return FORMERR;
  const name = readName(bytes, HEADER);
  if (name === undefined || name.end + 4 > bytes.length) return FORMERR;
  const end = name.end + 4;
  const records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  const edns = findOpt(bytes, end, records);
  if (edns === "broken") return FORMERR;
  return {
    bytes,
    id: view.getUint16(0),
    name: name.text,
    type: view.getUint16(name.end),
    class: view.getUint16(name.end + 2),
    end,
    limit: Math.max(PLAIN_LIMIT, edns?.size ?? 0),
    ednsVersion: edns?.version,
  };
}

/** Whether `bytes` is an answer to the question that was sent under `id`. */
export function answers(bytes: Uint8Array, id: number, query: Query): boolean {
  if (bytes.length < HEADER) return false;
  const view = viewOf(bytes);
  if (view.getUint16(0) !== id || (view.getUint16(2) & QR) === 0) return false;
  // Some servers leave the question out of an error.
  if (view.getUint16(4) === 0) return codeOf(bytes) !== NOERROR;
  if (view.getUint16(4) !== 1 || bytes.length < query.end) return false;
  for (let at = HEADER; at < query.end; at++) if (lower(bytes[at] ?? 0) !== lower(query.bytes[at] ?? 0)) return false;
  return true;
}

/** RCODE of a whole message. */
export function codeOf(bytes: Uint8Array): number {
  return (bytes[3] ?? 0) & 15;
}

export function setId(bytes: Uint8Array, id: number): void {
  bytes[0] = id >> 8;
  bytes[1] = id & 255;
}

/** The question in the form that the next server gets: id and the rest as they came. */
export function forwarded(query: Query, id: number): Uint8Array {
  const copy = query.bytes.slice();
  setId(copy, id);
  return copy;
}

/** A record to answer with, for the name that was asked for. */
export interface AnswerRecord {
  readonly type: number;
  /** Address bytes, or a name in wire form. */
  readonly data: Uint8Array;
}

/**
 * Writes an answer into `out` and returns its length: the question as it was asked, then as many records as `limit`
 * bytes hold, beginning with number `first` and going round. Those that are left out are told by the bit TC.
 */
export function writeAnswer(
  out: Uint8Array,
  query: Query,
  { records = [], first = 0, code = NOERROR, limit }: AnswerParts,
): number {
  const view = viewOf(out);
  const old = (query.ednsVersion ?? 0) > 0;
  const wanted = old ? 0 : records.length;
  const optBytes = query.ednsVersion === undefined ? 0 : 11;
  const room = Math.min(limit, out.length) - optBytes;
  out.set(query.bytes.subarray(0, query.end));
  let at = query.end;
  let count = 0;
  for (; count < wanted; count++) {
    const record = records[(first + count) % wanted];
    if (record === undefined || at + 12 + record.data.length > room) break;
    view.setUint16(at, 0xc000 | HEADER);
    view.setUint16(at + 2, record.type);
    view.setUint16(at + 4, CLASS_IN);
    view.setUint32(at + 6, TTL);
    view.setUint16(at + 10, record.data.length);
    out.set(record.data, at + 12);
    at += 12 + record.data.length;
  }
  const cut = count < wanted ? TC : 0;
  view.setUint16(2, QR | (viewOf(query.bytes).getUint16(2) & (RD | CD)) | RA | cut | (old ? 0 : code));
  view.setUint16(6, count);
  view.setUint16(8, 0);
  view.setUint16(10, optBytes === 0 ? 0 : 1);
  if (optBytes > 0) {
    out[at] = 0;
    view.setUint16(at + 1, TYPE_OPT);
    view.setUint16(at + 3, UDP_LIMIT);
    view.setUint32(at + 5, old ? (BADVERS >> 4) << 24 : 0);
    view.setUint16(at + 9, 0);
    at += optBytes;
  }
  return at;
}

interface AnswerParts {
  readonly records?: readonly AnswerRecord[];
  readonly first?: number;
  readonly code?: number;
  readonly limit: number;
}

/** Writes the answer to a message that is no query: its header, and nothing else. */
export function writeRefusal(out: Uint8Array, bytes: Uint8Array, code: number): number {
  out.set(bytes.subarray(0, HEADER));
  const view = viewOf(out);
  view.setUint16(2, QR | (viewOf(bytes).getUint16(2) & (OPCODE | RD)) | RA | code);
  for (const count of [4, 6, 8, 10]) view.setUint16(count, 0);
  return HEADER;
}

/** Wire form of a name with dots between its labels; undefined where it is none. */
export function encodeName(name: string): Uint8Array | undefined {
  const labels = name.split(".").map((label) => new TextEncoder().encode(label));
  if (labels.some(({ length }) => length === 0 || length > 63)) return undefined;
  const bytes = Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0]);
  return bytes.length > MAX_NAME ? undefined : bytes;
}

/** A name as `Query.name` has it. */
export function nameKey(name: string): string {
  return String.fromCharCode(...new TextEncoder().encode(name.replace(/\.$/, ""))).toLowerCase();
}

/** A question's name: no pointers, since nothing stands before it that it could point to. */
function readName(bytes: Uint8Array, start: number): { text: string; end: number } | undefined {
  let text = "";
  for (let at = start; ;) {
    const length = bytes[at];
    if (length === undefined || length > 63) return undefined;
    const next = at + 1 + length;
    if (next > bytes.length || next - start > MAX_NAME) return undefined;
    if (length === 0) return { text, end: next };
    if (text !== "") text += ".";
    for (let i = at + 1; i < next; i++) text += String.fromCharCode(lower(bytes[i] ?? 0));
    at = next;
  }
}

/** Where the name ends that begins at `at`, pointers not followed. */
function skipName(bytes: Uint8Array, start: number): number | undefined {
  for (let at = start; ;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return undefined;
    at += 1 + length;
  }
}

function findOpt(
  bytes: Uint8Array,
  start: number,
  records: number,
): { size: number; version: number } | "broken" | undefined {
  const view = viewOf(bytes);
  let at = start;
  let found: { size: number; version: number } | undefined;
  for (let i = 0; i < records; i++) {
    const fields = skipName(bytes, at);
    if (fields === undefined || fields + 10 > bytes.length) return "broken";
    if (view.getUint16(fields) === TYPE_OPT) {
      if (found !== undefined) return "broken";
      found = { size: view.getUint16(fields + 2), version: bytes[fields + 5] ?? 0 };
    }
    at = fields + 10 + view.getUint16(fields + 8);
    if (at > bytes.length) return "broken";
  }
  return found;
}

/** As DNS compares letters: ASCII only. */
function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
