import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Mirror } from "./mirror.ts";
import { unverifiedText } from "./signature.ts";

const never = new AbortController().signal;

test("files arrive as promised or not at all, after a broken transfer too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-mirror-"));
  const content = Buffer.from("package");
  let asked = 0;
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/debian/flaky" && ++asked < 3) return new Response("busy", { status: 503 });
      return pathname === "/debian/absent" ? new Response("", { status: 404 }) : new Response(content);
    },
  });
  const base = `http://127.0.0.1:${server.port}/debian`;
  const mirror = new Mirror(`${base}/`, 1);
  const target = join(folder, "file");
  const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
  try {
    await mirror.file("flaky", target, { size: content.length, sha256 }, never);
    expect(readFileSync(target)).toEqual(content);
    const other = { size: content.length, sha256: "0".repeat(64) };
    expect(await mirror.file("x", target, other, never).catch(String)).toContain(`${base}/x is not what the lists`);
    const shorter = { size: 3, sha256 };
    expect(await mirror.file("x", target, shorter, never).catch(String)).toContain("is not what the lists");
    expect(await mirror.document("absent", never)).toBeUndefined();
    expect(await mirror.file("absent", target, other, never).catch(String)).toContain(`${base}/absent not found`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a mirror that cannot be reached is named", async () => {
  using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
  const base = `http://127.0.0.1:${server.port}/debian`;
  await server.stop(true);
  const said = await new Mirror(base, 1).document("dists/x/InRelease", never).catch(String);
  expect(said).toContain(`cannot download ${base}/dists/x/InRelease`);
});

test("the text of a clear-signed file is found without checking it", () => {
  const clear = [
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "Hash: SHA256",
    "",
    "Suite: stable",
    "- -dashes",
    "-----BEGIN PGP SIGNATURE-----",
    "",
    "x",
  ].join("\n");
  expect(unverifiedText(Buffer.from(clear))).toBe("Suite: stable\n-dashes");
});
