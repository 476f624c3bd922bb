/** Checks and readings of single option values, in Docker's words. */
import { readFileSync } from "node:fs";
import { quote } from "../go.ts";
import { parseBytes } from "#lib/bytes.ts";
import { isAddress } from "./port-spec.ts";

export function checkAttach(text: string): string {
  const stream = text.toLowerCase();
  if (!["stdin", "stdout", "stderr"].includes(stream)) throw new Error("valid streams are STDIN, STDOUT and STDERR");
  return stream;
}

/** `name=value`; a bare name takes its value from our environment and stays bare where there is none. */
export function checkEnv(text: string): string {
  const cut = text.indexOf("=");
  if (cut === 0 || text === "") throw new Error(`invalid environment variable: ${text}`);
  const known = cut < 0 ? process.env[text] : undefined;
  return known === undefined ? text : `${text}=${known}`;
}

/** `host:ip` for the daemon, from `host:ip`, `host=ip` or `host:[ip]`. */
export function checkExtraHost(text: string): string {
  const cut = text.includes("=") ? text.indexOf("=") : text.indexOf(":");
  const host = text.slice(0, Math.max(0, cut));
  if (host === "" || host.includes(":")) throw new Error(`bad format for add-host: ${quote(text)}`);
  const address = text.slice(cut + 1).replace(/^\[(.+)\]$/, "$1");
  if (address !== "host-gateway" && !isAddress(address))
    throw new Error(`invalid IP address in add-host: ${quote(address)}`);
  return `${host}:${address}`;
}

export function checkLabel(text: string): string {
  const key = text.replace(/=.*$/s, "").replace(/^[ \t]+/, "");
  if (key === "") throw new Error(`invalid label '${text}': empty name`);
  if (/[ \t]/.test(key)) throw new Error(`label '${key}' contains whitespaces`);
  return text;
}

/** Labels by name; one without `=` is empty. */
export function labelMap(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const cut = label.indexOf("=");
      return cut < 0 ? [label, ""] : [label.slice(0, cut), label.slice(cut + 1)];
    }),
  );
}

export function checkLink(text: string): string {
  if (text === "") throw new Error("empty string specified for links");
  if (text.split(":").length > 2) throw new Error(`bad format for links: ${text}`);
  return text;
}

/** A dot alone means no search domain at all. */
export function checkSearchDomain(text: string): string {
  const domain = text.trim();
  if (domain === ".") return domain;
  const valid =
    /^(:?(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))(:?\.(:?[a-zA-Z0-9]|(:?[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])))*)\.?\s*$/;
  if (!/[a-zA-Z]/.test(domain) || !valid.test(domain) || domain.length > 254)
    throw new Error(`${text} is not a valid domain`);
  return domain.replace(/\.$/, "");
}

const sysctls = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

export function checkSysctl(text: string): void {
  const key = text.slice(0, Math.max(0, text.indexOf("=")));
  if (!sysctls.includes(key) && !key.startsWith("net.") && !key.startsWith("fs.mqueue."))
    throw new Error(`sysctl '${text}' is not allowed`);
}

/** Billionths of a CPU from a decimal or a fraction. */
export function parseCpus(text: string): number {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\/(\d+))?$/.exec(text);
  if (!match || match[2] === "0") throw new Error(`failed to parse ${text} as a rational number`);
  const nanos = (Number(match[1]) * 1e9) / Number(match[2] ?? 1);
  if (Math.abs(nanos - Math.round(nanos)) > 1e-3) throw new Error("value is too precise");
  return Math.round(nanos);
}

/** Bytes; -1 is unlimited. */
export function parseMemorySwap(text: string): number {
  return text === "-1" ? -1 : parseBytes(text);
}

/**
 * The `name=value` lines of a file, `#` lines skipped. A bare name takes its value from `lookup` and is left out
 * where there is none, or always without `lookup`. Throws Docker's messages.
 */
export function readKeyValues(path: string, lookup?: (name: string) => string | undefined): string[] {
  const lines = readFile(path)
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);
  return lines.flatMap((raw) => {
    const line = raw.trimStart();
    if (line === "" || line.startsWith("#")) return [];
    const cut = line.indexOf("=");
    const name = cut < 0 ? line : line.slice(0, cut);
    if (name === "") throw new Error(`invalid env file (${path}): no variable name on line '${line}'`);
    if (/[ \t]/.test(name)) throw new Error(`invalid env file (${path}): variable '${name}' contains whitespaces`);
    if (cut >= 0) return [line];
    const value = lookup?.(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

function readFile(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) throw new Error(`invalid env file (${path}): invalid utf8 bytes`, { cause: error });
    throw new Error(openError(path, error), { cause: error });
  }
}

/** Go's words for a file that cannot be opened. */
export function openError(path: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  const words: Readonly<Record<string, string>> = {
    ENOENT: "no such file or directory",
    EACCES: "permission denied",
    EISDIR: "is a directory",
    EEXIST: "file exists",
    ENOTDIR: "not a directory",
  };
  const verb = code === "EISDIR" ? "read" : "open";
  return `${verb} ${path}: ${words[code ?? ""] ?? (error as Error).message}`;
}

/** Name and retries of `--restart`; the daemon judges the name. Throws Docker's messages. */
export function parseRestartPolicy(text: string): { Name: string; MaximumRetryCount: number } {
  const cut = text.indexOf(":");
  const name = cut < 0 ? text : text.slice(0, cut);
  const count = cut < 0 ? "" : text.slice(cut + 1);
  if (cut === 0) throw new Error("invalid restart policy format: no policy provided before colon");
  if (count !== "" && !/^[+-]?\d+$/.test(count))
    throw new Error("invalid restart policy format: maximum retry count must be an integer");
  return { Name: name, MaximumRetryCount: Number(count) };
}
