/** Sizes as people write them. */

const POWERS: Readonly<Record<string, number>> = { "": 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes written `512m`, `1.5GiB`, `100`; powers of 1024. Throws Docker's message. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?([a-zA-Z]*)$/.exec(text);
  const suffix = match?.[2]?.toLowerCase() ?? "";
  const power = POWERS[suffix.replace(/^([kmgtp])i?b$/, "$1")];
  if (!match) throw new Error(`invalid size: '${text}'`);
  if (power === undefined) throw new Error(`invalid suffix: '${suffix}'`);
  return Math.trunc(Number(match[1]) * 1024 ** power);
}
