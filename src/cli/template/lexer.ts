/** Splits a Go template into text and the tokens of its actions (text/template/parse, lex.go's language). */

export type TokenKind =
  | "text"
  | "open"
  | "close"
  | "space"
  | "field"
  | "variable"
  | "identifier"
  | "keyword"
  | "dot"
  | "nil"
  | "bool"
  | "number"
  | "string"
  | "char"
  | "pipe"
  | "("
  | ")"
  | ","
  | "="
  | ":="
  | "eof";

export interface Token {
  readonly kind: TokenKind;
  /** As written; text has its trimmed spaces removed. */
  readonly text: string;
  /** Offset in the template. */
  readonly at: number;
}

/** A template that cannot be parsed: its message begins `template: :LINE: `, as Go's does for an unnamed template. */
export class TemplateError extends Error {}

export function syntaxError(source: string, at: number, message: string): TemplateError {
  const line = source.slice(0, at).split("\n").length;
  return new TemplateError(`template: :${line}: ${message}`);
}

const keywords = new Set(["if", "else", "end", "range", "with", "break", "continue", "define", "block", "template"]);
const spaces = /[ \t\r\n]*/y;
const patterns: readonly (readonly [TokenKind, RegExp])[] = [
  ["space", /[ \t\r\n]+/y],
  [":=", /:=/y],
  ["=", /=/y],
  ["pipe", /\|/y],
  ["(", /\(/y],
  [")", /\)/y],
  [",", /,/y],
  ["field", /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  [
    "number",
    /[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)/y,
  ],
  ["dot", /\./y],
  ["variable", /\$[\p{L}\p{N}_]*/uy],
  ["string", /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  ["char", /'(?:[^'\\\n]|\\[^\n])+'/y],
  ["identifier", /[\p{L}_][\p{L}\p{N}_]*/uy],
];
/** What may follow a word without a space. */
const terminator = /[ \t\r\n.,|:()]|-?\}\}|$/y;

/** Throws TemplateError. The last token is "eof". */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trim = false;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? source.length : open);
    if (trim) text = text.replace(/^[ \t\r\n]+/, "");
    if (open < 0) {
      if (text) tokens.push({ kind: "text", text, at });
      break;
    }
    const trimBefore = /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    if (trimBefore) text = text.replace(/[ \t\r\n]+$/, "");
    if (text) tokens.push({ kind: "text", text, at });
    at = open + (trimBefore ? 3 : 2);
    const comment = commentEnd(source, at);
    if (comment) {
      ({ at, trim } = comment);
      continue;
    }
    tokens.push({ kind: "open", text: "{{", at: open });
    ({ at, trim } = action(source, at, tokens));
  }
  tokens.push({ kind: "eof", text: "EOF", at: source.length });
  return tokens;
}

function skipSpaces(source: string, at: number): number {
  spaces.lastIndex = at;
  spaces.exec(source);
  return spaces.lastIndex;
}

function commentEnd(source: string, from: number): { at: number; trim: boolean } | undefined {
  const start = skipSpaces(source, from);
  if (!source.startsWith("/*", start)) return undefined;
  const end = source.indexOf("*/", start + 2);
  if (end < 0) throw syntaxError(source, start, "unclosed comment");
  const match = /^(?:[ \t\r\n]+-)?\}\}/.exec(source.slice(end + 2));
  if (!match) throw syntaxError(source, end, "comment ends before closing delimiter");
  return { at: end + 2 + match[0].length, trim: match[0].length > 2 };
}

/** Tokens up to and with the closing braces; says where the text goes on and whether to trim its head. */
function action(source: string, from: number, tokens: Token[]): { at: number; trim: boolean } {
  let at = from;
  let depth = 0;
  for (;;) {
    const close = /^(?:[ \t\r\n]+-)?\}\}/.exec(source.slice(at, at + 64));
    if (close) {
      if (depth > 0) throw syntaxError(source, at, "unclosed left paren");
      tokens.push({ kind: "close", text: "}}", at });
      return { at: at + close[0].length, trim: close[0].length > 2 };
    }
    if (at >= source.length) throw syntaxError(source, at, "unclosed action");
    const token = next(source, at);
    if (token.kind === "(") depth++;
    if (token.kind === ")" && --depth < 0) throw syntaxError(source, at, "unexpected right paren");
    tokens.push(token);
    at += token.text.length;
  }
}

function next(source: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) continue;
    if (kind === "field" || kind === "variable" || kind === "identifier") mustEnd(source, at + text.length);
    if (kind === "number" && /[\p{L}\p{N}_]/u.test(source[at + text.length] ?? "")) {
      throw syntaxError(source, at, `bad number syntax: "${text}${source[at + text.length]}"`);
    }
    return { kind: kind === "identifier" ? word(text) : kind, text, at };
  }
  const char = String.fromCodePoint(source.codePointAt(at) ?? 0);
  if (char === '"') throw syntaxError(source, at, "unterminated quoted string");
  if (char === "`") throw syntaxError(source, at, "unterminated raw quoted string");
  if (char === "'") throw syntaxError(source, at, "unterminated character constant");
  if (char === ":") throw syntaxError(source, at, "expected :=");
  if (char >= " " && char < "\u007f") throw syntaxError(source, at, `unexpected "${char}" in command`);
  throw syntaxError(source, at, `unrecognized character in action: ${codePoint(char)}`);
}

function word(text: string): TokenKind {
  if (keywords.has(text)) return "keyword";
  if (text === "true" || text === "false") return "bool";
  return text === "nil" ? "nil" : "identifier";
}

function mustEnd(source: string, at: number): void {
  terminator.lastIndex = at;
  if (terminator.test(source)) return;
  const char = String.fromCodePoint(source.codePointAt(at) ?? 0);
  throw syntaxError(source, at, `bad character ${codePoint(char)}`);
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")} '${char}'`;
}
