import { expect, test } from "bun:test";
import {
  addressBytes,
  addressFromBytes,
  addressOf,
  canonicalAddress,
  contains,
  formatAddress,
  formatPrefix,
  lastOf,
  networkOf,
  offset,
  overlap,
  parseAddress,
  parsePrefix,
  prefixOf,
  sizeOf,
} from "./ip.ts";

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  // Of two runs of zeros the longer is shortened, of equal ones the first (RFC 5952, 4.2.3).
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["1::", "1::"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["::ffff:192.0.2.33", "192.0.2.33"],
  ["::ffff:c000:221", "192.0.2.33"],
])("%s is written %s", (text, canonical) => {
  expect(canonicalAddress(text)).toBe(canonical);
  expect(formatAddress(addressFromBytes(addressBytes(addressOf(text))))).toBe(canonical);
});

test.each([
  "",
  "10.0.0",
  "10.0.0.256",
  "10.0.0.01",
  "1.2.3.4.5",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8",
  "12345::",
  "::1.2.3.4:5",
  "1.2.3.4::",
  "fe80::1%eth0",
  "::g",
])("%p is no address", (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test("a prefix keeps its host bits until the network is asked for", () => {
  const four = prefixOf("10.1.2.3/20");
  const six = prefixOf("fd00:1:2:3::5/48");
  expect(formatPrefix(four)).toBe("10.1.2.3/20");
  expect(formatPrefix(networkOf(four))).toBe("10.1.0.0/20");
  expect(formatAddress(lastOf(four))).toBe("10.1.15.255");
  expect(formatPrefix(networkOf(six))).toBe("fd00:1:2::/48");
  expect(formatAddress(lastOf(six))).toBe("fd00:1:2:ffff:ffff:ffff:ffff:ffff");
  expect(formatAddress(offset(networkOf(six), 1))).toBe("fd00:1:2::1");
  expect(sizeOf(four)).toBe(4096n);
  expect(sizeOf(six)).toBe(1n << 80n);
  for (const wrong of ["10.0.0.0/33", "::/129", "10.0.0.0", "10.0.0.0/08", "10.0.0.0/", "::ffff:10.0.0.0/104", "/8"]) {
    expect(parsePrefix(wrong)).toBeUndefined();
  }
});

test("families never meet: 0.0.0.0/0 and ::/0 have nothing in common", () => {
  expect(overlap(prefixOf("0.0.0.0/0"), prefixOf("::/0"))).toBe(false);
  expect(contains(prefixOf("::/0"), addressOf("10.0.0.1"))).toBe(false);
  expect(contains(prefixOf("fd00::/64"), addressOf("fd00::ffff"))).toBe(true);
  expect(contains(prefixOf("fd00::/64"), addressOf("fd00:0:0:1::"))).toBe(false);
  expect(overlap(prefixOf("fd00::/48"), prefixOf("fd00:0:0:7::/64"))).toBe(true);
  expect(overlap(prefixOf("fd00::/64"), prefixOf("fd00:0:0:1::/64"))).toBe(false);
});

test("text that was to be our own and is not is a fault of the program", () => {
  expect(() => addressOf("nonsense")).toThrow('"nonsense" is no IP address');
  expect(() => prefixOf("10.0.0.0")).toThrow('"10.0.0.0" is no IP prefix');
});
