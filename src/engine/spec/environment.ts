/** The environment of a container's process, in Docker's order. */
import type { ContainerConfig } from "#api/types/container-config.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * PATH, HOSTNAME, TERM (tty), then the configuration's own entries over them, then HOME where nobody set it.
 * An entry without `=` unsets.
 */
export function containerEnvironment(config: ContainerConfig, home: string): string[] {
  const base = [DEFAULT_PATH, `HOSTNAME=${config.Hostname}`, ...(config.Tty ? ["TERM=xterm"] : [])];
  return withDefaults(override(base, config.Env ?? []), [`HOME=${home}`]);
}

/** What a running container has by now: the environment of its first process with what was changed since. */
export function presentEnvironment(
  started: readonly string[],
  { Env }: Pick<ContainerConfig, "Env">,
  unset: readonly string[] = [],
): string[] {
  const kept = started.filter((entry) => !unset.includes(keyOf(entry)));
  return withDefaults(override(kept, Env ?? []), [DEFAULT_PATH]);
}

/** Environment of an exec: the container's, TERM (tty), then `extra` over them, then HOME where nobody set it. */
export function execEnvironment(
  container: readonly string[],
  extra: readonly string[],
  tty: boolean,
  home: string,
): string[] {
  const base = withDefaults([...container], tty ? ["TERM=xterm"] : []);
  return withDefaults(override(base, extra), [`HOME=${home}`]);
}

/** `base` with each entry of `changes` in the place of the one it replaces, or at the end. */
function override(base: readonly string[], changes: readonly string[]): string[] {
  const entries = new Map(base.map((entry) => [keyOf(entry), entry]));
  for (const entry of changes) {
    if (entry.includes("=")) entries.set(keyOf(entry), entry);
    else entries.delete(entry);
  }
  return [...entries.values()];
}

function withDefaults(entries: string[], defaults: readonly string[]): string[] {
  const keys = new Set(entries.map(keyOf));
  return [...entries, ...defaults.filter((entry) => !keys.has(keyOf(entry)))];
}

function keyOf(entry: string): string {
  const end = entry.indexOf("=");
  return end < 0 ? entry : entry.slice(0, end);
}
