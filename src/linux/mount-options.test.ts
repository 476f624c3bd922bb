import { expect, test } from "bun:test";
import { parseMountWords } from "./mount-options.ts";

test.each([
  ["", 0, 0, ""],
  ["defaults", 0, 0, ""],
  ["bind", 0x1000, 0, ""],
  ["rbind,ro", 0x5001, 0, ""],
  ["ro,rw", 0, 0, ""],
  ["nosuid,nodev,noexec,size=100m,uid=1000", 0xe, 0, "size=100m,uid=1000"],
  ["addr=10.0.0.1,rw,nfsvers=4,soft", 0, 0, "addr=10.0.0.1,nfsvers=4,soft"],
  ["bind,rshared", 0x1000, 0x104000, ""],
  ["noatime,atime,relatime", 0x200000, 0, ""],
  // A value makes any word data.
  ["ro=1,lowerdir=/a:/b", 0, 0, "ro=1,lowerdir=/a:/b"],
])("%s", (text, flags, propagation, data) => {
  expect(parseMountWords(text)).toEqual({ flags, propagation, data });
});
