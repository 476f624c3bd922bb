/** DNS messages for tests, written and read apart from the program's own code: what both get wrong must not agree. */

export interface Question {
  name: string;
  /** A unless said otherwise. */
  type?: keyof typeof types;
  transport?: "udp" | "tcp";
  /** UDP size that is told by EDNS. */
  edns?: number;
}

export interface Answer {
  code: "NOERROR" | "FORMERR" | "SERVFAIL" | "NXDOMAIN" | "NOTIMP" | "REFUSED" | "none";
  /** Addresses and names, in their order. */
  records: string[];
  truncated: boolean;
  /** The name of the question as it came back. */
  name: string;
  /** Whether the answer has EDNS. */
  edns: boolean;
}

export const types = { A: 1, PTR: 12, MX: 15, AAAA: 28, HTTPS: 65, ANY: 255 } as const;
const codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] as const;

export function encodeQuestion(id: number, { name, type = "A", edns }: Question): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const question = labels.flatMap((label) => [label.length, ...Buffer.from(label)]);
  const header = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns === undefined ? 0 : 1];
  const opt = edns === undefined ? [] : [0, 0, 41, edns >> 8, edns & 255, 0, 0, 0, 0, 0, 0];
  return Buffer.from([...header, ...question, 0, 0, types[type], 0, 1, ...opt]);
}

export function decodeAnswer(bytes: Buffer): Answer {
  let [name, at] = readName(bytes, 12);
  at += 4;
  const question = name;
  const records: string[] = [];
  let edns = false;
  const count = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10);
  for (let i = 0; i < count; i++) {
    [name, at] = readName(bytes, at);
    const type = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 8);
    at += 10;
    const data = bytes.subarray(at, at + length);
    if (type === types.A) records.push(data.join("."));
    else if (type === types.AAAA) records.push(data.toString("hex"));
    else if (type === types.PTR) records.push(readName(bytes, at)[0]);
    else if (type === 41) edns = true;
    at += length;
  }
  const code = codes[(bytes[3] ?? 0) & 15] ?? "none";
  return { code, records, truncated: ((bytes[2] ?? 0) & 2) !== 0, name: question, edns };
}

/** With its dots, and where it ends. */
export function readName(bytes: Buffer, start: number): [name: string, end: number] {
  const labels: string[] = [];
  let end = 0;
  for (let at = start; ;) {
    const length = bytes[at] ?? 0;
    if (length >= 0xc0) {
      end ||= at + 2;
      at = bytes.readUInt16BE(at) & 0x3fff;
    } else if (length === 0) {
      return [labels.join("."), end || at + 1];
    } else {
      labels.push(bytes.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
}
