/** Two daemons on one host share nothing: names, ports of one do not show in the other, and one's end is only its own. */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";

test("equal names in both, and the end of one leaves the other alone", async () => {
  await using first = await startEngine();
  const kept = await first.run(["sleep", "600"], { name: "same" });
  {
    await using second = await startEngine();
    await second.run(["sleep", "600"], { name: "same" });
    expect(await first.list()).toHaveLength(1);
    expect(await second.list()).toHaveLength(1);
    expect((await kept.inspect()).NetworkSettings.IPAddress).not.toBe("");
    await second.kill9();
    await second.start();
    expect(await second.leftovers()).toEqual([]);
  }
  expect((await kept.inspect()).State.Running).toBe(true);
  expect((await kept.exec(["echo", "still here"])).stdout).toBe("still here\n");
});

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
