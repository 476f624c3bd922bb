/** Values that programs stumble over. None names anything of this host, none is a command that does harm. */
import type { Random } from "./random.ts";

const texts = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\n",
  "\r\n\r\n",
  "..",
  "../../../..",
  "/",
  "//",
  ".",
  "-",
  "--",
  "%",
  "%2f",
  "%zz",
  "%00",
  "{}",
  "null",
  "true",
  "NaN",
  "-1",
  "0",
  "1e309",
  "0x10",
  "１２",
  "ü",
  "\u202e",
  "\ud800",
  "😀",
  "__proto__",
  "constructor",
  "toString",
  "sha256:",
  `sha256:${"0".repeat(64)}`,
  "f".repeat(64),
  "walk-taken",
  "a".repeat(300),
  "a".repeat(5000),
  "a=b",
  "=",
  "a,b",
  "'; DROP TABLE container; --",
  "$(true)",
  "`true`",
  "80/tcp",
  "99999/udp",
  "10.0.0.1",
  "::1",
  "02:42:ac:11:00:02",
  "1970-01-01T00:00:00Z",
  "9999999999",
] as const;

const numbers = [0, -0, 1, -1, 1.5, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63, 1e308, 1e-9] as const;

export function anyText(random: Random): string {
  return random.chance(0.8) ? random.pick(texts) : noise(random, random.below(40));
}

export function noise(random: Random, length: number): string {
  return Array.from({ length }, () => String.fromCharCode(random.below(256))).join("");
}

/** Any JSON value. */
export function anyValue(random: Random, depth = 0): unknown {
  switch (random.below(depth > 3 ? 5 : 7)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick(numbers);
    case 3:
    case 4:
      return anyText(random);
    case 5:
      return Array.from({ length: random.below(4) }, () => anyValue(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [anyText(random), anyValue(random, depth + 1)]),
      );
  }
}

/** A copy in which some value, somewhere, is another one, is missing, or is there twice. */
export function mutateValue(random: Random, value: unknown): unknown {
  if (typeof value !== "object" || value === null || random.chance(0.1)) return anyValue(random);
  if (Array.isArray(value)) {
    const copy = [...(value as unknown[])];
    const at = random.below(copy.length + 1);
    if (at === copy.length || random.chance(0.3)) copy.splice(at, 0, anyValue(random));
    else copy[at] = mutateValue(random, copy[at]);
    return copy;
  }
  const entries = Object.entries(value);
  const at = random.below(entries.length + 1);
  const entry = entries[at];
  if (entry === undefined) entries.push([anyText(random), anyValue(random)]);
  else if (random.chance(0.15)) entries.splice(at, 1);
  else if (random.chance(0.1)) entry[0] = random.chance(0.5) ? entry[0].toLowerCase() : anyText(random);
  else entry[1] = mutateValue(random, entry[1]);
  return Object.fromEntries(entries);
}
