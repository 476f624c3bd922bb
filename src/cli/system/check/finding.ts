/** What one look at the host found. */

export type Status = "ok" | "warn" | "fail";

export interface Finding {
  /** Stable: scripts look for it. */
  readonly name: string;
  readonly status: Status;
  /** What is there, in a few words. */
  readonly found: string;
  /** What to do about it; only where it is not ok. */
  readonly remedy?: string;
}

export function ok(name: string, found: string): Finding {
  return { name, status: "ok", found };
}

/** Berth runs, with something missing. */
export function warn(name: string, found: string, remedy: string): Finding {
  return { name, status: "warn", found, remedy };
}

/** Berth does not run, or no container does. */
export function fail(name: string, found: string, remedy: string): Finding {
  return { name, status: "fail", found, remedy };
}
