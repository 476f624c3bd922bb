/** Writes specs as JSON that keeps the one number JavaScript cannot hold. */
import type { ProcessSpec, RuntimeSpec } from "./types.ts";

/** Stands for 2^64-1, setrlimit(2)'s "no limit", of which it is the nearest number of ours. */
export const RLIM_INFINITY = 2 ** 64;

const AS_WRITTEN = new RegExp(`(?<=[:,\\[])${String(RLIM_INFINITY)}(?=[,}\\]])`, "g");

/** `config.json` of a bundle, or the process of an exec. What JSON.parse makes of it can be written again. */
export function specJson(spec: RuntimeSpec | ProcessSpec): string {
  const text = JSON.stringify(spec);
  return text.includes(String(RLIM_INFINITY)) ? text.replace(AS_WRITTEN, "18446744073709551615") : text;
}
