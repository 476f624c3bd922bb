/** What may be a volume's name. */
import { EngineError } from "#lib/errors.ts";

const ALLOWED = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Throws "invalid" with Docker's words. */
export function checkVolumeName(name: string): string {
  if (ALLOWED.test(name)) return name;
  const why =
    name.length === 1
      ? "volume name is too short, names should be at least two alphanumeric characters"
      : `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
        "If you intended to pass a host directory, use absolute path";
  throw new EngineError("invalid", `create ${name}: ${why}`);
}

/** 64 hex digits, as Docker names anonymous volumes. */
export function randomVolumeName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
}
