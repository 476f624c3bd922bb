/** fmt.Sprintf for what templates can hand it. */
import { quote } from "../go.ts";
import { print, typeName, type Value } from "./value.ts";

const directive = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])?/g;

/** Formats `values` by Go's verbs s, q, v, d, x, X, o, b, c, t, f, e, g, T; anything else is marked as Go marks it. */
export function sprintf(format: string, values: readonly Value[]): string {
  let next = 0;
  const star = (text: string | undefined) =>
    text === "*" ? Number(values[next++]) : text === undefined ? undefined : Number(text);
  let out = format.replace(
    directive,
    (whole, flags: string, width: string | undefined, precision: string | undefined, verb: string | undefined) => {
      if (verb === "%") return "%";
      const columns = star(width);
      const digits = whole.includes(".") ? (star(precision) ?? 0) : undefined;
      if (verb === undefined) return "%!(NOVERB)";
      if (next >= values.length) return `%!${verb}(MISSING)`;
      return pad(formatOne(verb, values[next++], flags, digits), flags, columns);
    },
  );
  if (next < values.length) {
    out += `%!(EXTRA ${values
      .slice(next)
      .map((value) => `${typeName(value)}=${print(value)}`)
      .join(", ")})`;
  }
  return out;
}

function pad(text: string, flags: string, columns = 0): string {
  const missing = columns - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (flags.includes("0"))
    return /^[+-]/.test(text) ? text.slice(0, 1) + "0".repeat(missing) + text.slice(1) : "0".repeat(missing) + text;
  return " ".repeat(missing) + text;
}

function formatOne(verb: string, value: Value, flags: string, digits: number | undefined): string {
  const bad = () =>
    `%!${verb}(${value === null || value === undefined ? "<nil>" : `${typeName(value)}=${print(value)}`})`;
  const whole = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
  const signed = (text: string) =>
    flags.includes("+") && !text.startsWith("-")
      ? `+${text}`
      : flags.includes(" ") && !text.startsWith("-")
        ? ` ${text}`
        : text;
  if (Array.isArray(value) && verb !== "v" && verb !== "T")
    return `[${value.map((item) => formatOne(verb, item, flags, digits)).join(" ")}]`;
  const clip = (text: string) => (digits === undefined ? text : [...text].slice(0, digits).join(""));
  switch (verb) {
    case "v":
      return typeof value === "string" ? clip(value) : typeof value === "number" ? signed(print(value)) : print(value);
    case "s":
      return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint" || value == null
        ? bad()
        : clip(print(value));
    case "q":
      if (whole) return `'${String.fromCodePoint(Number(value))}'`;
      return typeof value === "string" ? quote(clip(value)) : bad();
    case "x":
    case "X": {
      const text = whole
        ? BigInt(value).toString(16)
        : typeof value === "string"
          ? Buffer.from(clip(value)).toString("hex")
          : bad();
      return verb === "X" ? text.toUpperCase() : whole ? signed(text) : text;
    }
    case "d":
      return whole ? signed(String(BigInt(value))) : bad();
    case "o":
      return whole ? BigInt(value).toString(8) : bad();
    case "b":
      return whole ? BigInt(value).toString(2) : bad();
    case "c":
      return whole ? String.fromCodePoint(Number(value)) : bad();
    case "t":
      return typeof value === "boolean" ? String(value) : bad();
    case "f":
    case "F":
      return typeof value === "number" ? signed(value.toFixed(digits ?? 6)) : bad();
    case "e":
    case "E":
    case "g":
    case "G":
      if (typeof value !== "number") return bad();
      return verb === "g" || verb === "G"
        ? print(value)
        : value.toExponential(digits ?? 6).replace(/e([+-])(\d)$/, "e$10$2");
    case "T":
      return typeName(value);
    default:
      return bad();
  }
}
