import { expect, test } from "bun:test";
import { compareVersions } from "./version.ts";

test("versions stand in the order that dpkg gives them", () => {
  const ascending = [
    "1.0~rc1-1",
    "1.0~rc1-1+b1",
    "1.0-1",
    "1.0-1+deb12u1",
    "1.0-1+deb12u10",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.2-3",
    "1.10-1",
    "1.10-1.1",
    "2:0.1",
    "10:0",
  ];
  expect(ascending.toReversed().toSorted(compareVersions)).toEqual(ascending);
  expect(compareVersions("1.0", "1.00")).toBe(0);
  expect(compareVersions("0:1.0-0", "1.0")).toBe(0);
});
