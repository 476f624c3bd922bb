/** The one table from error kinds to HTTP status. */
import type { ErrorKind } from "#lib/errors.ts";

export const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  "not-modified": 304,
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  internal: 500,
  "not-implemented": 501,
  unavailable: 503,
};
