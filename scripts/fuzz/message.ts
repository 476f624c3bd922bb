/** Turns requests of the walk into bytes, and spoils them on every level: path, query, header, body and framing. */
import { anyText, anyValue, mutateValue, noise } from "./values.ts";
import type { Random } from "./random.ts";
import { tame } from "./tame.ts";

/** A request before it is bytes. */
export interface Draft {
  method: string;
  /** With version, without query; as it goes over the wire. */
  path: string;
  query: [string, string][];
  headers: [string, string][];
  body: unknown;
  /** Instead of `body`. */
  archive?: Uint8Array;
}

export interface Message {
  /** Sent one after the other, with a pause between them. */
  readonly pieces: readonly Uint8Array[];
  /** How the sender ends: it shuts its half, it breaks off, or it waits for the answer. */
  readonly ending: "wait" | "shut" | "break";
  /** It is HTTP that must have an answer; else a closed connection is one. */
  readonly sound: boolean;
  /** For people. */
  readonly title: string;
}

const methods = [
  "GET",
  "POST",
  "PUT",
  "DELETE",
  "HEAD",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "get",
  "WALK",
] as const;
const versions = [
  "v1.50",
  "v1.24",
  "v1.41",
  "v1.21",
  "v9.9",
  "v1",
  "v",
  "v1.50.1",
  "v-1.2",
  "v01.050",
  "V1.50",
] as const;
const headerNames = [
  "Content-Type",
  "Content-Length",
  "Transfer-Encoding",
  "Connection",
  "Upgrade",
  "Expect",
  "X-Registry-Auth",
  "X-Registry-Config",
  "Host",
  "Accept",
  "Sec-WebSocket-Key",
] as const;

/** Changes `draft` in one to three ways. */
export function mutateDraft(random: Random, draft: Draft, folder: string): void {
  for (let i = random.below(3); i >= 0; i--) {
    switch (random.below(8)) {
      case 0:
        draft.method = random.pick(methods);
        break;
      case 1:
        draft.path = mutatePath(random, draft.path);
        break;
      case 2:
        draft.path = draft.path.replace(/^\/v[\d.]+/, random.chance(0.3) ? "" : `/${random.pick(versions)}`);
        break;
      case 3:
      case 4:
        mutateQuery(random, draft.query);
        break;
      case 5:
        draft.headers.push([random.pick(headerNames), anyText(random).replaceAll(/[\r\n\0]/g, "")]);
        break;
      default:
        draft.body = random.chance(0.1) ? anyValue(random) : mutateValue(random, draft.body ?? {});
    }
  }
  draft.body = tame(draft.body, folder);
}

function mutatePath(random: Random, path: string): string {
  const segments = path.split("/");
  const at = random.below(segments.length);
  switch (random.below(5)) {
    case 0:
      segments.splice(at, 1);
      break;
    case 1:
      segments.splice(at, 0, segments[at] ?? "");
      break;
    case 2:
      segments[at] = encodeURIComponent(anyText(random).toWellFormed());
      break;
    case 3:
      segments[at] = anyText(random).replaceAll(/[\s\0]/g, "");
      break;
    default:
      segments.push("");
  }
  return segments.join("/") || "/";
}

function mutateQuery(random: Random, query: [string, string][]): void {
  const entry = query[random.below(query.length + 1)];
  if (entry === undefined) query.push([anyText(random), anyText(random)]);
  else if (random.chance(0.2)) query.push([entry[0], anyText(random)]);
  else if (entry[0] === "filters" && random.chance(0.7)) entry[1] = JSON.stringify(anyValue(random));
  else entry[1] = anyText(random);
}

/** The bytes of `draft`, spoiled now and then. */
export function encode(random: Random, draft: Draft): Message {
  const query = draft.query.map((pair) => pair.map((text) => encodeURIComponent(text.toWellFormed())).join("="));
  const target = `${draft.path || "/"}${query.length === 0 ? "" : `?${query.join("&")}`}`;
  const text = draft.body === undefined ? "" : (JSON.stringify(draft.body) ?? "");
  const body = draft.archive === undefined ? Buffer.from(text) : Buffer.from(draft.archive);
  if (draft.archive !== undefined && random.chance(0.5)) body[random.below(body.length)] = random.below(256);
  const title = `${draft.method} ${target.slice(0, 200)} ${body.length > 300 ? `(${body.length} bytes)` : text}`;
  const headers: [string, string][] = [["Host", "fuzz"], ...draft.headers];
  if (draft.archive !== undefined) headers.push(["Content-Type", "application/x-tar"]);
  else if (body.length > 0 && random.chance(0.97)) headers.push(["Content-Type", "application/json"]);
  const spoils = draft.headers.length > 0;
  const line = `${draft.method} ${target} HTTP/1.${random.chance(0.95) ? 1 : 0}`;
  const head = (more: [string, string][]): Buffer =>
    Buffer.from([line, ...[...headers, ...more].map((pair) => pair.join(": "))].join("\r\n") + "\r\n\r\n", "latin1");
  const sized: [string, string] = ["Content-Length", String(body.length)];
  const whole = (): Buffer => Buffer.concat([head(body.length > 0 ? [sized] : []), body]);
  const message = (pieces: Uint8Array[], ending: Message["ending"], sound: boolean, how: string): Message => ({
    pieces,
    ending,
    sound: sound && !spoils,
    title: how === "" ? title : `${title} [${how}]`,
  });
  const cut = random.below(body.length + 1);
  switch (random.below(24)) {
    case 0:
      return message([head([sized]), body.subarray(0, cut), body.subarray(cut)], "wait", true, "slow body");
    case 1:
      return message([head([sized]), body.subarray(0, cut)], "shut", false, "cut body");
    case 2:
      return message([head([sized]), body.subarray(0, cut)], "break", false, "broken off");
    case 3: {
      const parts = [body.subarray(0, cut), body.subarray(cut)].filter((part) => part.length > 0);
      return message(
        [Buffer.concat([head([["Transfer-Encoding", "chunked"]]), ...chunked(parts)])],
        "wait",
        true,
        "chunked",
      );
    }
    case 4: {
      const parts = chunked([body]);
      const at = random.below(parts.length);
      parts[at] = Buffer.from(noise(random, 12), "latin1");
      return message(
        [Buffer.concat([head([["Transfer-Encoding", "chunked"]]), ...parts])],
        "shut",
        false,
        "bad chunks",
      );
    }
    case 5:
      return message([head([sized, ["Transfer-Encoding", "chunked"]]), body], "shut", false, "two lengths");
    case 6:
      return message(
        [head([["Content-Length", anyText(random).replaceAll(/[\r\n]/g, "")]]), body],
        "shut",
        false,
        "bad length",
      );
    case 7:
      return message([Buffer.concat([whole(), whole(), whole()])], "wait", true, "pipelined");
    case 8:
      return message(
        [head([["X-Huge", "x".repeat(random.pick([1000, 60_000, 70_000, 300_000]))], sized]), body],
        "shut",
        false,
        "huge header",
      );
    case 9:
      return message(
        [head([["Connection", "Upgrade"], ["Upgrade", random.pick(["tcp", "websocket", "h2c", ""])], sized]), body],
        "shut",
        false,
        "upgrade",
      );
    case 10: {
      const bytes = whole();
      for (let i = random.below(4); i >= 0; i--)
        bytes[random.below(Math.min(bytes.length, head([]).length))] = random.below(256);
      return message([bytes], "shut", false, "flipped bytes");
    }
    case 11:
      return message([Buffer.from(noise(random, 1 + random.below(400)), "latin1")], "shut", false, "noise");
    case 12:
      return message(
        [Buffer.from(whole().toString("latin1").replaceAll("\r\n", "\n"), "latin1")],
        "shut",
        false,
        "bare line feeds",
      );
    case 13:
      return message([head([["Expect", "100-continue"], sized]), body], "wait", true, "expect");
    case 14: {
      const deep = Buffer.from(`${'{"HostConfig":'.repeat(3000)}1`);
      return message(
        [Buffer.concat([head([["Content-Length", String(deep.length)]]), deep])],
        "shut",
        false,
        "deep body",
      );
    }
    case 15:
      return message(
        [...whole()].slice(0, 40).map((byte) => Buffer.from([byte])),
        "break",
        false,
        "byte by byte, broken off",
      );
    default:
      return message([whole()], "wait", draft.path.startsWith("/") && !/[\s\0]/.test(target), "");
  }
}

function chunked(parts: readonly Uint8Array[]): Buffer[] {
  return [
    ...parts
      .filter((part) => part.length > 0)
      .map((part) => Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")])),
    Buffer.from("0\r\n\r\n"),
  ];
}
