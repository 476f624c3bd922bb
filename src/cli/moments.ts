/** Moments as query parameters carry them. */

/** Unix seconds with nine digits of fraction. */
export function seconds(nanoseconds: bigint): string {
  return `${nanoseconds / 1_000_000_000n}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, "0")}`;
}
