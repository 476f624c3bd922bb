/** Orders the versions of Debian packages (deb-version(7)). */

/** Negative where `a` is older than `b`, 0 where they are equal. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

function split(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? "" : rest.slice(dash + 1),
  };
}

/** Runs of other characters and runs of digits take turns, the former first. */
function compareParts(a: string, b: string): number {
  const [left, right] = [a.match(/\D*\d*/g) ?? [], b.match(/\D*\d*/g) ?? []];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x = "", y = ""] = [left[i], right[i]];
    const [wordX = "", wordY = ""] = [/^\D*/.exec(x)?.[0], /^\D*/.exec(y)?.[0]];
    const order = compareWords(wordX, wordY) || compareDigits(x.slice(wordX.length), y.slice(wordY.length));
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers of any length. */
function compareDigits(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}

function compareWords(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = weight(a[i]) - weight(b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** A tilde is older than the end, letters come before everything else. */
function weight(char: string | undefined): number {
  if (char === "~") return -1;
  if (char === undefined) return 0;
  return /[A-Za-z]/.test(char) ? char.charCodeAt(0) : char.charCodeAt(0) + 256;
}
