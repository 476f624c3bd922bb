/** What cannot be run: each with the code and the words that scripts know from Docker, and nothing left behind. */
import { expect, test } from "bun:test";
import { createServer } from "node:net";
import { startEngine } from "../harness/engine.ts";

test("a port in use fails the start and gives everything back", async () => {
  await using engine = await startEngine();
  await using server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  const { port } = server.address() as { port: number };
  const publish = {
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: String(port) }] } },
  };
  const box = await engine.create(["sleep", "600"], publish);
  await expect(box.start()).rejects.toMatchObject({
    message: expect.stringMatching(/address already in use|port is already allocated/),
  });
  await new Promise((resolve) => server.close(resolve));
  await box.start();
  const second = await engine.create(["sleep", "600"], publish);
  await expect(second.start()).rejects.toMatchObject({ message: expect.stringContaining("port is already allocated") });
});
