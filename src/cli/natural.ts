/** Docker's order of names and ports: numbers by their value, all else by code points. */

/**
 * A comparator: "a2" before "a10", "Z" before "a", "0.0.0.0" before "[::]". Of equal numbers, the one with fewer zeros in
 * front comes first.
 */
export function naturally(a: string, b: string): number {
  const [left, right] = [pieces(a), pieces(b)];
  for (let index = 0; ; index++) {
    const [one, other] = [left[index], right[index]];
    if (one === undefined || other === undefined) return left.length - right.length;
    if (one === other) continue;
    return byValue(one, other) || byCodePoint(one, other);
  }
}

/** Whole numbers, and the characters between them one by one. */
function pieces(text: string): string[] {
  return text.match(/\d+|\D/gu) ?? [];
}

/** 0 also where one of them is no number. */
function byValue(a: string, b: string): number {
  if (!isNumber(a) || !isNumber(b)) return 0;
  const [one, other] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return one.length - other.length || byCodePoint(one, other) || a.length - b.length;
}

function isNumber(piece: string): boolean {
  return /^\d/.test(piece);
}

function byCodePoint(a: string, b: string): number {
  return (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0) || (a < b ? -1 : Number(a > b));
}
