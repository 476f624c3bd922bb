/** What a stopping daemon still finishes, and how it is made to hurry. */
import { connect, type Socket } from "node:net";
import { expect, test } from "bun:test";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";
import { tar } from "./harness/tar.ts";

const archive = tar([{ name: "uploaded", content: new Uint8Array(4 * 1024 * 1024).fill(120) }]);
const half = archive.length / 2;

/** A copy into a container of which half has been sent. */
class Upload implements Disposable {
  readonly socket: Socket;
  readonly ended: Promise<string>;

  constructor(engine: Engine, box: Box) {
    this.socket = connect(engine.socket);
    let answer = "";
    this.socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    this.ended = new Promise((resolve) => {
      for (const end of ["close", "error"]) this.socket.on(end, () => resolve(answer));
    });
    const head = [
      `PUT /containers/${box.id}/archive?path=/ HTTP/1.1`,
      "Host: berth",
      "Connection: close",
      "Content-Type: application/x-tar",
      `Content-Length: ${archive.length}`,
    ];
    this.socket.write(`${head.join("\r\n")}\r\n\r\n`);
    this.socket.write(archive.subarray(0, half));
  }

  /** The kernel has handed all of it to the daemon. */
  async begun(): Promise<void> {
    await until("the daemon has taken what was sent", () => this.socket.writableLength === 0);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const stopping = (engine: Engine): Promise<unknown> =>
  until("the daemon stops", async () => (await engine.log()).includes('"msg":"stopping"'));

test("an upload that is under way when the daemon stops still arrives", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["cat", "/uploaded"]);
  using upload = new Upload(engine, box);
  await upload.begun();
  process.kill(engine.pid, "SIGTERM");
  await stopping(engine);
  // Longer than what waits for nothing but a signal may take.
  await Bun.sleep(800);
  expect(await engine.berth(["ps"])).toMatchObject({ code: 1, stderr: expect.stringContaining("Cannot connect") });
  upload.socket.write(archive.subarray(half));
  expect(await upload.ended).toStartWith("HTTP/1.1 200 OK");
  await engine.restart();
  await box.start();
  await box.wait();
  expect((await box.logs()).stdout).toHaveLength(4 * 1024 * 1024);
});

test("a second signal does not wait for it", async () => {
  await using engine = await startEngine();
  const box = await engine.create(["true"]);
  using upload = new Upload(engine, box);
  await upload.begun();
  process.kill(engine.pid, "SIGTERM");
  await stopping(engine);
  const begun = performance.now();
  await engine.stop();
  expect(performance.now() - begun).toBeLessThan(3000);
  expect(await upload.ended).toBe("");
  await engine.start();
  expect((await box.inspect()).State.Status).toBe("created");
});

test("with a --shutdown-timeout it is not waited for any longer", async () => {
  await using engine = await startEngine({ arguments: ["--shutdown-timeout=1"] });
  const box = await engine.create(["true"]);
  using upload = new Upload(engine, box);
  await upload.begun();
  const begun = performance.now();
  await engine.stop();
  const took = performance.now() - begun;
  expect(took).toBeGreaterThan(900);
  expect(took).toBeLessThan(4000);
  expect(await upload.ended).toBe("");
  await engine.start();
  expect((await box.inspect()).State.Status).toBe("created");
});
