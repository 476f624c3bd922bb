/** The API over tcp with mutual TLS, driven by our command line, docker's and plain clients. */
import { X509Certificate } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect } from "node:tls";
import { expect, test } from "bun:test";
import { Certificates } from "./harness/certificates.ts";
import { testImage } from "./harness/image.ts";
import { startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  listener.stop(true);
  return listener.port;
}

function flags(certificates: Certificates, port: number): string[] {
  return [
    `--host=tcp://127.0.0.1:${port}`,
    "--tlsverify",
    `--tlscacert=${certificates.path("ca.pem")}`,
    `--tlscert=${certificates.path("server/cert.pem")}`,
    `--tlskey=${certificates.path("server/key.pem")}`,
  ];
}

/** Serial number of the certificate that the daemon shows. */
async function serial(port: number): Promise<string> {
  const shown = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
    shown.resolve(new X509Certificate(socket.getPeerCertificate().raw).serialNumber);
  });
  socket.on("error", (error) => shown.reject(error));
  return await shown.promise.finally(() => socket.destroy());
}

test("with --tlsverify only clients with a certificate are let in, and attach and exec work for them", async () => {
  await using certificates = await Certificates.make();
  const port = freePort();
  await using engine = await startEngine({ arguments: flags(certificates, port) });
  const host = `tcp://127.0.0.1:${port}`;
  const env = {
    BERTH_HOST: host,
    DOCKER_HOST: host,
    DOCKER_TLS_VERIFY: "1",
    DOCKER_CERT_PATH: certificates.path("client"),
  };
  const big = "head -c 3000000 /dev/zero | tr '\\0' x";
  const clients = [engine.berth.bind(engine), ...(Bun.which("docker") ? [engine.docker.bind(engine)] : [])];
  for (const client of clients) {
    expect(await client(["run", "-i", "--rm", testImage, "cat"], { env, stdin: "through and back\n" })).toEqual({
      code: 0,
      stdout: "through and back\n",
      stderr: "",
    });
    const output = await client(["run", "--rm", testImage, "sh", "-c", big], { env });
    expect(output.stdout).toHaveLength(3_000_000);
    const { stdout: id } = await client(["run", "-d", testImage, "sleep", "60"], { env });
    const inside = await client(["exec", "-i", id.trim(), "sh", "-c", "wc -c; exit 3"], {
      env,
      stdin: "y".repeat(500_000),
    });
    expect(inside).toMatchObject({ code: 3, stdout: "500000\n" });
  }
  const withFlags = await engine.berth([
    "--tlsverify",
    `--tlscacert=${certificates.path("ca.pem")}`,
    `--tlscert=${certificates.path("client/cert.pem")}`,
    `--tlskey=${certificates.path("client/key.pem")}`,
    `-H=${host}`,
    "info",
  ]);
  expect(withFlags).toMatchObject({ code: 0, stderr: expect.not.stringContaining("API is accessible") });

  const refused = await engine.berth(["--tls", `-H=${host}`, "ps"], { env: { DOCKER_CERT_PATH: certificates.folder } });
  expect(refused.code).toBe(1);
  await expect(fetch(`http://127.0.0.1:${port}/_ping`)).rejects.toThrow();
  await expect(fetch(`https://127.0.0.1:${port}/_ping`, { tls: { rejectUnauthorized: false } })).rejects.toThrow();
  await using stranger = await Certificates.make();
  const other = await engine.berth(["ps"], { env: { ...env, DOCKER_CERT_PATH: stranger.path("client") } });
  expect(other).toMatchObject({ code: 1, stdout: "" });
});

test("SIGHUP takes over new certificates without a dropped connection", async () => {
  await using certificates = await Certificates.make();
  const port = freePort();
  await using engine = await startEngine({ image: false, arguments: flags(certificates, port) });
  const before = await serial(port);
  await certificates.issue("server");
  process.kill(engine.pid, "SIGHUP");
  await until("the new certificate is shown", async () => (await serial(port)) !== before);
  const after = await serial(port);
  const descriptors = (): number => readdirSync(`/proc/${engine.pid}/fd`).length;
  const opened = await until("the clients are gone", () => descriptors());
  const complaints = async (): Promise<number> =>
    (await engine.log()).split("cannot reload the configuration").length - 1;
  await Bun.write(certificates.path("server/cert.pem"), Bun.file(certificates.path("client/cert.pem")));
  for (let at = 1; at <= 5; at++) {
    if (at === 3) await Bun.write(certificates.path("server/cert.pem"), "nonsense");
    process.kill(engine.pid, "SIGHUP");
    await until("it complains", async () => (await complaints()) === at);
  }
  expect(await serial(port)).toBe(after);
  await until("nothing more is open than before", () => descriptors() <= opened);
});

test("an address that others reach is refused without client certificates", async () => {
  await using certificates = await Certificates.make();
  await using engine = await startEngine({ image: false });
  const roots = [`--data-root=${certificates.path("d")}`, `--exec-root=${certificates.path("e")}`, `--bridge=btlsx`];
  const refused = await engine.berth(["daemon", ...roots, "--config-file=/dev/null", "--host=tcp://0.0.0.0:2375"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("would give everyone who reaches it root on this machine: use --tlsverify");
});

test("volumes are backed up and restored through TLS, and a backup that fails says why", async () => {
  await using certificates = await Certificates.make();
  const port = freePort();
  await using engine = await startEngine({ arguments: flags(certificates, port) });
  const env = {
    BERTH_HOST: `tcp://127.0.0.1:${port}`,
    DOCKER_TLS_VERIFY: "1",
    DOCKER_CERT_PATH: certificates.path("client"),
  };
  const berth = (...words: string[]) => engine.berth(["volume", ...words], { env });
  const seed = await engine.run(["true"], { HostConfig: { Binds: ["seeded:/data"] } });
  await seed.wait();
  const file = `${engine.execRoot}/seeded.tar.zst`;
  expect(await berth("backup", "-o", file, "seeded")).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await berth("restore", "-i", file, "again")).toEqual({ code: 0, stdout: "again\n", stderr: "" });
  const reader = await engine.run(["cat", "/data/seed"], { HostConfig: { Binds: ["again:/data"] } });
  await reader.wait();
  expect((await reader.logs()).stdout).toBe("from the image\n");
  const writes =
    "head -c 12000000 /dev/urandom > /data/log; touch /data/ready; while :; do echo more >> /data/log; done";
  const writer = await engine.run(["sh", "-c", writes], { HostConfig: { Binds: ["busy:/data"] } });
  await until("the file is there", async () => (await writer.exec(["ls", "/data/ready"])).code === 0);
  const failed = await berth("backup", "-o", file, "busy");
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  expect(failed.stderr).toContain('the file "log" changed while it was read');
});
