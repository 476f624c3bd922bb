/** Shows objects as the daemon describes them: for `inspect` of every kind. */
import { errorMessage } from "#lib/errors.ts";
import { ExitError } from "./errors.ts";
import { execute, parseFormat } from "./format.ts";
import type { Session } from "./session.ts";
import { parseJson } from "./template/value.ts";
import { typed } from "./typed-json.ts";

/**
 * Prints all `names` in one go: as an indented array, as `format` says, and the errors of those that `fetch` (which
 * resolves with raw JSON) rejects afterwards. Throws ExitError: 64 for a bad template, 1 when something was not found.
 */
export async function inspectAll(
  session: Session,
  names: readonly string[],
  format: string,
  fetch: (name: string) => Promise<string>,
): Promise<void> {
  const template = format === "" || format === "json" ? undefined : parseFormat(format, 64);
  const errors: string[] = [];
  const texts: string[] = [];
  for (const name of names) {
    try {
      const raw = await fetch(name);
      texts.push(template ? `${execute(template, typed(parseJson(raw)))}\n` : raw.trim());
    } catch (error) {
      if (error instanceof ExitError && /^Cannot connect|^permission denied/.test(error.message)) throw error;
      errors.push(errorMessage(error));
    }
  }
  if (template) session.out.write(texts.length > 0 ? texts.join("") : "\n");
  else if (texts.length === 0) session.out.line("[]");
  else session.out.line(format === "json" ? compactJson(`[${texts.join(",")}]`) : indentJson(`[${texts.join(",")}]`));
  if (errors.length > 0) throw new ExitError(1, errors.join("\n"));
}

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** Lays JSON out with four spaces, keeping the order of keys and every digit of its numbers (json.Indent). */
export function indentJson(text: string): string {
  let out = "";
  let depth = 0;
  let opened = false;
  const newline = () => `\n${"    ".repeat(depth)}`;
  for (const [token] of text.matchAll(tokens)) {
    if (token === "}" || token === "]") {
      depth--;
      out += opened ? token : newline() + token;
      opened = false;
      continue;
    }
    if (opened) out += newline();
    opened = token === "{" || token === "[";
    if (opened) depth++;
    if (token === ",") out += `,${newline()}`;
    else out += token === ":" ? ": " : token;
  }
  return out;
}

function compactJson(text: string): string {
  return [...text.matchAll(tokens)].map(([token]) => token).join("");
}
