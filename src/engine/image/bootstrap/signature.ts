/** Checks the signatures of package archives with what the host has for it: gpgv or sqv, and the distribution's keys. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";

/** A file signed as such (`InRelease`), or with the signature beside it (`Release`, `Release.gpg`). */
export type Signed = { readonly clear: Uint8Array } | { readonly text: Uint8Array; readonly signature: Uint8Array };

export type Verifier = "gpgv" | "sqv";

/** The program to use; undefined where the host has neither. gpgv reads both forms, sqv only the second. */
export function findVerifier(): Verifier | undefined {
  return (["gpgv", "sqv"] as const).find((name) => Bun.which(name) !== null);
}

/**
 * The text that `keyring` vouches for. Rejects "forbidden" where no valid signature of one of its keys is there; `what`
 * is the address for messages. Works in `folder`.
 */
export async function verifiedText(
  verifier: Verifier,
  signed: Signed,
  keyring: string,
  what: string,
  folder: string,
): Promise<string> {
  const place = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, `${crypto.randomUUID()}-${name}`);
    writeFileSync(path, bytes);
    return path;
  };
  const files =
    "clear" in signed
      ? ["--output", "-", place("InRelease", signed.clear)]
      : [place("Release.gpg", signed.signature), place("Release", signed.text)];
  const command =
    verifier === "gpgv"
      ? ["gpgv", "--status-fd", "2", "--keyring", keyring, ...files]
      : ["sqv", "--keyring", keyring, ...files];
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LC_ALL: "C" } });
  const [output, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  // An archive is signed with several keys, not all of which an older keyring has: gpgv's exit code says nothing then.
  const good =
    verifier === "gpgv" ? /^\[GNUPG:\] GOODSIG /m.test(said) && !/^\[GNUPG:\] BADSIG /m.test(said) : code === 0;
  if (good) return "clear" in signed ? output : new TextDecoder().decode(signed.text);
  const why = said
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("[GNUPG:]"))
    .join("; ");
  throw new EngineError("forbidden", `${what} has no valid signature of a key in ${keyring}: ${why}`);
}

/** The text of a clear-signed file, whoever wrote it (RFC 9580, section 7). */
export function unverifiedText(clear: Uint8Array): string {
  const text = new TextDecoder().decode(clear);
  const match = /^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n([\s\S]*?)\n-----BEGIN PGP SIGNATURE-----/m.exec(
    text,
  );
  return (match?.[1] ?? text).replaceAll(/^- /gm, "");
}
