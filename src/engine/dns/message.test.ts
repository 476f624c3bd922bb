import { expect, test } from "bun:test";
import {
  answers,
  encodeName,
  FORMERR,
  forwarded,
  NOTIMP,
  parseQuery,
  type Query,
  TYPE_A,
  TYPE_PTR,
  writeAnswer,
  writeRefusal,
} from "./message.ts";

const EDNS = [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0];

/** A query for a name as it would travel, with what stands behind the question. */
function question(name: string, type = TYPE_A, { flags = 0x0100, extra = [] as number[] } = {}): Uint8Array {
  const additional = extra.length > 0 ? 1 : 0;
  const header = [0xbe, 0xef, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, additional];
  return Uint8Array.from([...header, ...(encodeName(name) ?? []), 0, type, 0, 1, ...extra]);
}

function parsed(bytes: Uint8Array): Query {
  const query = parseQuery(bytes);
  if (typeof query !== "object") throw new Error(`no query: ${query}`);
  return query;
}

function address(last: number) {
  return { type: TYPE_A, data: Uint8Array.of(10, 0, 0, last) };
}

test("a query is read with its name in lower case and what its client takes", () => {
  expect(parsed(question("Web.Example"))).toMatchObject({ name: "web.example", type: 1, class: 1, limit: 512 });
  expect(parsed(question("web", TYPE_A, { extra: EDNS }))).toMatchObject({ limit: 4096, ednsVersion: 0 });
  expect(parseQuery(question("web", TYPE_A, { flags: 0x8100 }))).toBeUndefined();
  expect(parseQuery(question("web", TYPE_A, { flags: 0x2800 }))).toBe(NOTIMP);
  expect(parseQuery(question("web").subarray(0, 20))).toBe(FORMERR);
  expect(parseQuery(Uint8Array.of(1, 2, 3))).toBeUndefined();
});

test("a name that points to itself, is too long or goes on behind the end is refused", () => {
  const pointing = question("web");
  pointing.set([0xc0, 12], 12);
  expect(parseQuery(pointing)).toBe(FORMERR);
  const long = Uint8Array.from([
    0,
    1,
    1,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    ...Array.from({ length: 300 }, () => 1),
    0,
    0,
    1,
    0,
    1,
  ]);
  expect(parseQuery(long)).toBe(FORMERR);
  const cut = question("web");
  cut[12] = 60;
  expect(parseQuery(cut)).toBe(FORMERR);
  const unfinished = question("web", TYPE_A, { extra: EDNS.with(10, 9) });
  expect(parseQuery(unfinished)).toBe(FORMERR);
});

test("an answer repeats the question as it was asked, and goes round from the first record on", () => {
  const query = parsed(question("WEB"));
  const out = new Uint8Array(512);
  const length = writeAnswer(out, query, { records: [address(1), address(2), address(3)], first: 2, limit: 512 });
  expect(out.subarray(0, query.end)).toEqual(
    Uint8Array.from([0xbe, 0xef, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0, 3, 87, 69, 66, 0, 0, 1, 0, 1]),
  );
  const record = (last: number) => [0xc0, 12, 0, 1, 0, 1, 0, 0, 0x02, 0x58, 0, 4, 10, 0, 0, last];
  expect([...out.subarray(query.end, length)]).toEqual([...record(3), ...record(1), ...record(2)]);
});

test("what does not fit is left out and told; EDNS is answered with EDNS", () => {
  const records = Array.from({ length: 100 }, (_, i) => address(i));
  const out = new Uint8Array(4096);
  const plain = parsed(question("web"));
  expect(writeAnswer(out, plain, { records, limit: plain.limit })).toBeLessThanOrEqual(512);
  expect(out[2]! & 2).toBe(2);
  const edns = parsed(question("web", TYPE_A, { extra: EDNS }));
  const length = writeAnswer(out, edns, { records, limit: edns.limit });
  expect(length).toBe(edns.end + 100 * 16 + 11);
  expect(out[2]! & 2).toBe(0);
  expect([...out.subarray(length - 11, length)]).toEqual([0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
  const newer = parsed(question("web", TYPE_A, { extra: EDNS.with(6, 1) }));
  const refused = writeAnswer(out, newer, { records, limit: 512 });
  expect([...out.subarray(refused - 6, refused - 2)]).toEqual([1, 0, 0, 0]);
});

test("an answer from elsewhere counts only with its id and its question, however that is spelt", () => {
  const query = parsed(question("web"));
  const sent = forwarded(query, 0x1234);
  const answer = question("WEB", TYPE_A, { flags: 0x8180 });
  answer.set([0x12, 0x34]);
  expect([...sent.subarray(0, 2)]).toEqual([0x12, 0x34]);
  expect(answers(answer, 0x1234, query)).toBe(true);
  expect(answers(answer, 0x1235, query)).toBe(false);
  expect(answers(sent, 0x1234, query)).toBe(false);
  const other = question("wec", TYPE_A, { flags: 0x8180 });
  other.set([0x12, 0x34]);
  expect(answers(other, 0x1234, query)).toBe(false);
  const otherType = question("web", TYPE_PTR, { flags: 0x8180 });
  otherType.set([0x12, 0x34]);
  expect(answers(otherType, 0x1234, query)).toBe(false);
});

test("no bytes at all make it throw or write beyond what it was given", () => {
  const out = new Uint8Array(4096);
  const guard = new Uint8Array(600);
  for (let round = 0; round < 20_000; round++) {
    const bytes = round % 2 === 0 ? mutated(question("a.long.name", TYPE_A, { extra: EDNS })) : random(round % 80);
    const query = parseQuery(bytes);
    if (typeof query === "object") {
      expect(query.end).toBeLessThanOrEqual(bytes.length);
      const length = writeAnswer(out, query, { records: [address(1)], limit: query.limit });
      expect(length).toBeLessThanOrEqual(512 + 255);
      answers(bytes, 0xbeef, query);
      writeAnswer(guard.subarray(0, 512), query, { limit: 512 });
    } else if (query !== undefined) {
      expect(writeRefusal(out, bytes, query)).toBe(12);
    }
  }
  expect(guard.subarray(512).every((byte) => byte === 0)).toBe(true);
});

function random(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** With three bytes that are others, and cut off somewhere. */
function mutated(bytes: Uint8Array): Uint8Array {
  for (const [at = 0, value = 0] of [random(2), random(2), random(2)]) bytes[at % bytes.length] = value;
  const [cut = 255] = random(1);
  return cut < 64 ? bytes.subarray(0, cut) : bytes;
}
