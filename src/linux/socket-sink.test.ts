import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BodyDecoder, startOf } from "#lib/http/decoder.ts";
import { TreeCalls } from "./helper-calls.ts";
import { temporaryFolder } from "./helper-testing.ts";
import { SocketSink } from "./socket-sink.ts";

/** What `fill` sends, with its chunks taken off where it has some; a file stands for the socket. */
function sent(chunked: boolean, fill: (sink: SocketSink, folder: string) => void): Buffer {
  using folder = temporaryFolder();
  const path = join(folder.path, "socket");
  const fd = openSync(path, "w");
  try {
    const sink = new SocketSink(new TreeCalls("cannot pack"), fd, chunked);
    fill(sink, folder.path);
    sink.flush();
  } finally {
    closeSync(fd);
  }
  const raw = Buffer.concat([readFileSync(path), Buffer.from(chunked ? "0\r\n\r\n" : "")]);
  if (!chunked) return raw;
  const decoder = new BodyDecoder(startOf({ kind: "chunked" }));
  const { start, end, used } = decoder.decode(raw);
  expect([decoder.done, used]).toEqual([true, raw.length]);
  return raw.subarray(start, end);
}

function putFile(sink: SocketSink, path: string, size: number): void {
  const fd = openSync(path, "r");
  try {
    sink.putFile(fd, size, path);
  } finally {
    closeSync(fd);
  }
}

for (const chunked of [true, false]) {
  const how = chunked ? "in chunks" : "as they are";

  test(`pieces of all sizes and whole files go out in their order, ${how}`, () => {
    const content = Buffer.from("content of a file\n".repeat(40_000));
    const pieces = [1, 511, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 700_000].map((size) => Buffer.alloc(size, "p"));
    const all = sent(chunked, (sink, folder) => {
      const file = join(folder, "file");
      writeFileSync(file, content);
      putFile(sink, file, content.length);
      for (const piece of pieces) {
        sink.put(piece);
        putFile(sink, file, content.length);
      }
      putFile(sink, file, content.length);
      sink.flush();
      sink.put(Buffer.from("end"));
    });
    const expected = [content, ...pieces.flatMap((piece) => [piece, content]), content, Buffer.from("end")];
    expect(all.equals(Buffer.concat(expected))).toBe(true);
  });

  test(`a file that has become shorter is filled up, and one that has grown is cut, ${how}`, () => {
    const all = sent(chunked, (sink, folder) => {
      const file = join(folder, "file");
      writeFileSync(file, "short");
      putFile(sink, file, 600_000);
      putFile(sink, file, 2);
      sink.put(Buffer.from("next"));
    });
    expect(all.equals(Buffer.concat([Buffer.from("short"), Buffer.alloc(599_995), Buffer.from("shnext")]))).toBe(true);
  });

  test(`files of the kernel's, which cannot be sent from the page cache, are read, ${how}`, () => {
    const path = "/proc/self/status";
    const all = sent(chunked, (sink) => putFile(sink, path, 100_000));
    expect(all.length).toBe(100_000);
    expect(all.toString("latin1", 0, 6)).toBe("Name:\t");
    expect(all.indexOf("nonvoluntary_ctxt_switches")).toBeGreaterThan(0);
  });
}

test("nothing at all is no chunk, which would end the body", () => {
  expect(sent(true, () => {}).length).toBe(0);
});
