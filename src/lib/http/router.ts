/** Finds the handler for a method and a path. */
import { EngineError } from "../errors.ts";

export interface RouteMatch<H> {
  handler: H;
  /** Decoded values of the pattern's names. */
  params: Readonly<Record<string, string>>;
}

interface Route<H> {
  handler: H;
  pattern: RegExp;
  names: string[];
}

export class Router<H> {
  /** By method and first path segment. */
  readonly #routes = new Map<string, Route<H>[]>();

  /**
   * `pattern` is a path in which `{name}` stands for one segment and `{name:.*}` for any text with slashes (image
   * references). The first added that fits wins.
   */
  add(method: string, pattern: string, handler: H): void {
    const names: string[] = [];
    const source = pattern.replace(/\{(\w+)(:\.\*)?\}/g, (_, name: string, any?: string) => {
      names.push(name);
      return any === undefined ? "([^/]+)" : "(.+)";
    });
    const key = `${method} ${firstSegment(pattern)}`;
    const routes = this.#routes.get(key) ?? [];
    routes.push({ handler, pattern: new RegExp(`^${source}$`), names });
    this.#routes.set(key, routes);
  }

  /** `path` as it came, percent-encoded. Undefined: there is no such route. Throws "invalid" for a broken encoding. */
  match(method: string, path: string): RouteMatch<H> | undefined {
    for (const route of this.#routes.get(`${method} ${firstSegment(path)}`) ?? []) {
      const match = route.pattern.exec(path);
      if (match === null) continue;
      const params: Record<string, string> = {};
      for (const [i, name] of route.names.entries()) params[name] = decode(match[i + 1] as string);
      return { handler: route.handler, params };
    }
    return undefined;
  }
}

function firstSegment(path: string): string {
  const end = path.indexOf("/", 1);
  return end < 0 ? path : path.slice(0, end);
}

function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new EngineError("invalid", `invalid URL escape in ${JSON.stringify(text)}`, { cause });
  }
}
