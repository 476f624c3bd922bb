/** Two daemons on one host share nothing: names, ports of one do not show in the other, and one's end is only its own. */
import { expect, test } from "bun:test";
import { startEngine } from "../harness/engine.ts";

test("a port that one has published, the other cannot", async () => {
  await using first = await startEngine();
  await using second = await startEngine();
  const publish = (port: string) => ({
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "", HostPort: port }] } },
  });
  const box = await first.run(["sleep", "600"], publish(""));
  const port = (await box.inspect()).NetworkSettings.Ports["80/tcp"]?.[0]?.HostPort ?? "";
  const other = await second.create(["sleep", "600"], publish(port));
  await expect(other.start()).rejects.toMatchObject({ message: expect.stringMatching(/already (allocated|in use)/) });
});
