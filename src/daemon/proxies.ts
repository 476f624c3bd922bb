/** Proxies of the configuration, put where everything looks for them: Bun's `fetch`, helpers, package tools. */
import type { Configuration } from "./configuration.ts";

/** Sets the variables of `env` that are configured, in both spellings; others stay as they were inherited. */
export function applyProxies(configuration: Configuration, env: Record<string, string | undefined>): void {
  for (const key of ["http-proxy", "https-proxy", "no-proxy"] as const) {
    const value = configuration[key];
    if (value === "") continue;
    const name = key.replace("-", "_");
    env[name] = value;
    env[name.toUpperCase()] = value;
  }
}
