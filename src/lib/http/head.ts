/** Reads the heads of HTTP/1.x messages (RFC 9112), refusing what two parsers could read in two ways. */
import { EngineError } from "../errors.ts";

export interface RequestHead {
  method: string;
  /** As sent: path and query. */
  target: string;
  /** Minor version: 0 or 1. */
  minor: number;
  /** Names in lower case; repeated ones joined by `, `. */
  headers: Map<string, string>;
}

/** How the body after a head is delimited. */
export type Framing = { kind: "none" } | { kind: "length"; length: number } | { kind: "chunked" };

const requestLine = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/;
const fieldLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/** `text` is what stands before the empty line. Throws kind "invalid". */
export function parseRequestHead(text: string): RequestHead {
  const lines = text.split("\r\n");
  const match = requestLine.exec(lines[0] ?? "");
  if (match === null) throw new EngineError("invalid", "malformed HTTP request");
  return {
    method: match[1] as string,
    target: match[2] as string,
    minor: Number(match[3]),
    headers: parseFields(lines),
  };
}

function parseFields(lines: string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const match = fieldLine.exec(lines[i] as string);
    if (match === null) throw new EngineError("invalid", "malformed HTTP header");
    const name = (match[1] as string).toLowerCase();
    const value = match[2] as string;
    const before = headers.get(name);
    if (before !== undefined && name === "content-length" && before !== value) {
      throw new EngineError("invalid", "conflicting Content-Length headers");
    }
    headers.set(name, before === undefined || name === "content-length" ? value : `${before}, ${value}`);
  }
  return headers;
}

/** Framing of a request body. Throws kind "invalid" for both lengths at once and for unknown codings. */
export function requestFraming(headers: Map<string, string>): Framing {
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (length !== undefined || coding.toLowerCase() !== "chunked") {
      throw new EngineError("invalid", `unsupported transfer encoding: ${coding}`);
    }
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  if (!/^\d{1,15}$/.test(length)) throw new EngineError("invalid", `bad Content-Length: ${length}`);
  return length === "0" ? { kind: "none" } : { kind: "length", length: Number(length) };
}
