/** Reads `--link`: another container, and by which name this one calls it. */
import { EngineError } from "#lib/errors.ts";

export interface Link {
  /** Name or id of the other container. */
  readonly target: string;
  readonly alias: string;
}

/** `name:alias` or `name`; as inspect shows them, `/name:/own/alias`, too. Throws kind "invalid" with Docker's words. */
export function parseLink(text: string): Link {
  if (text === "") throw new EngineError("invalid", "empty string specified for links");
  const [target = "", alias = target, ...more] = text.split(":");
  if (more.length > 0) throw new EngineError("invalid", `bad format for links: ${text}`);
  if (!target.startsWith("/")) return { target, alias };
  return { target: target.slice(1), alias: alias.slice(alias.lastIndexOf("/") + 1) };
}

/** Targets by alias; undefined where there are none. */
export function linkNames(texts: readonly string[]): Record<string, string> | undefined {
  if (texts.length === 0) return undefined;
  return Object.fromEntries(texts.map(parseLink).map(({ target, alias }) => [alias.toLowerCase(), target]));
}
