import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeFd, readFd, writeFd } from "./descriptor.ts";
import { checked } from "./libc.ts";
import { adoptSeqpacket, connectSeqpacket } from "./seqpacket.ts";

/** Two connected ends; both close with the test. */
function socketPair(): [ours: number, theirs: number] {
  const ends = new Int32Array(2);
  checked("cannot make a socket pair", "", "socketpair", 1, 5 | 0o2000000 | 0o4000, 0, ends);
  return [ends[0] ?? -1, ends[1] ?? -1];
}

test("keeps packet boundaries and their order, under backpressure too, and sees the end", async () => {
  const [ours, theirs] = socketPair();
  const sizes: number[] = [];
  const closed = Promise.withResolvers<void>();
  await adoptSeqpacket(ours, {
    onPacket(packet) {
      sizes.push(packet.length);
      return sizes.length % 50 === 0 ? Bun.sleep(1) : undefined;
    },
    onClose: closed.resolve,
  });
  const sent = [...Array.from({ length: 299 }, (_, at) => at + 1), ...Array<number>(50).fill(8193)];
  for (const size of sent) {
    while (writeFd(theirs, new Uint8Array(size)) === undefined) await Bun.sleep(1);
  }
  closeFd(theirs);
  await closed.promise;
  expect(sizes).toEqual(sent);
});

test("writes everything in packets that conmon can take, then ends its half only", async () => {
  const [ours, theirs] = socketPair();
  const closed = Promise.withResolvers<void>();
  let answer = "";
  const connection = await adoptSeqpacket(ours, {
    onPacket(packet) {
      answer = new TextDecoder().decode(packet);
    },
    onClose: closed.resolve,
  });
  const written = connection.write(new Uint8Array(1_000_000));
  connection.shutdownWrite();
  const buffer = new Uint8Array(100_000);
  let [total, largest] = [0, 0];
  for (;;) {
    const size = readFd(theirs, buffer);
    if (size === 0) break;
    if (size === undefined) await Bun.sleep(1);
    total += size ?? 0;
    largest = Math.max(largest, size ?? 0);
  }
  await written;
  expect([total, largest]).toEqual([1_000_000, 16_384]);
  writeFd(theirs, new TextEncoder().encode("last words"));
  closeFd(theirs);
  await closed.promise;
  expect(answer).toBe("last words");
});

test("says where there is no socket, behind paths longer than sun_path too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-seqpacket-"));
  try {
    const handlers = { onPacket() {}, onClose() {} };
    await expect(connectSeqpacket(join(folder, "none"), handlers)).rejects.toMatchObject({ code: "ENOENT" });
    const long = join(folder, "d".repeat(120));
    await expect(connectSeqpacket(join(long, "none"), handlers)).rejects.toMatchObject({ code: "ENOENT" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
