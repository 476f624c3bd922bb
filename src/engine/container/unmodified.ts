/** Treats "there was nothing to do" as done. */
import { errorKind } from "#lib/errors.ts";

/** Undefined where somebody else was faster, or there was nothing to do. */
export async function unlessUnmodified<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errorKind(error) === "not-modified") return undefined;
    throw error;
  }
}
