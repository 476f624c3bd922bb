/** The words of `--userns`. */
import { EngineError } from "#lib/errors.ts";

export type UsernsMode =
  /** What the daemon says. */
  | { kind: "default" }
  /** That of the host. */
  | { kind: "host" }
  /** One of its own in which every id but root's is the host's. */
  | { kind: "keep" }
  /** One of its own with ids that no other container has. */
  | { kind: "auto"; size: number };

/** Ids that a container gets unless it asks for another number: enough for what images of distributions hold. */
export const DEFAULT_SIZE = 65536;
/** Overlayfs and the kernel have their own ideas about ids beyond 31 bits. */
const MAX_SIZE = 2 ** 28;

/** "", `host`, `keep`, `auto` and `auto:size=N`. Throws "invalid" in Docker's words. */
export function parseUsernsMode(text: string): UsernsMode {
  if (text === "") return { kind: "default" };
  if (text === "host" || text === "keep") return { kind: text };
  const [all, size] = /^auto(?::size=(\d{1,9}))?$/.exec(text) ?? [];
  const number = size === undefined ? DEFAULT_SIZE : Number(size);
  if (all === undefined || number < 1 || number > MAX_SIZE) {
    throw new EngineError("invalid", `invalid USER mode: ${text}`);
  }
  return { kind: "auto", size: number };
}
