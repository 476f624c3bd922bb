/** Images as read-only mounts of a container (`--mount type=image`). */
import { expect, test } from "bun:test";
import type { ContainerOverrides } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";

const image = (Target: string, Subpath?: string): ContainerOverrides => ({
  HostConfig: {
    Mounts: [{ Type: "image", Source: testImage, Target, ...(Subpath && { ImageOptions: { Subpath } }) }],
  },
});

async function output(engine: Engine, script: string, overrides: ContainerOverrides): Promise<string> {
  const box = await engine.run(["sh", "-c", `{ ${script}; } 2>&1`], overrides);
  await box.wait();
  return (await box.logs()).stdout;
}

test("an image is mounted read-only, whole or a part of it, and no link leads out of it", async () => {
  await using engine = await startEngine();
  expect(await output(engine, "cat /i/data/seed; touch /i/x", image("/i"))).toBe(
    "from the image\ntouch: /i/x: Read-only file system\n",
  );
  expect(await output(engine, "cat /i/seed; stat -c '%u:%g %a' /i/seed", image("/i", "data"))).toBe(
    "from the image\n1000:2000 640\n",
  );
  expect(await output(engine, "cat /f", image("/f", "data/seed"))).toBe("from the image\n");
  await expect(engine.run(["true"], image("/i", "no/such"))).rejects.toThrow(/cannot access path .*: no such file/);
  await expect(engine.create(["true"], image("/i", "../up"))).rejects.toThrow(
    'invalid mount config for type "image": subpath must be a relative path within the volume',
  );
  const absent = { Type: "image" as const, Source: "no-such-image", Target: "/i" };
  await expect(engine.create(["true"], { HostConfig: { Mounts: [absent] } })).rejects.toMatchObject({
    status: 400,
    message: "No such image: no-such-image:latest",
  });
});

test("inspect tells of it, and the image stays while a container has it", async () => {
  await using engine = await startEngine();
  await engine.wire.bytes("POST", `/images/${testImage}/tag?repo=mounted&tag=1`);
  const changed = await engine.run(["touch", "/new"]);
  await changed.wait();
  await engine.wire.bytes("POST", `/commit?container=${changed.id}&repo=other&tag=1`);
  const mount = { Type: "image" as const, Source: "other:1", Target: "/i" };
  const box = await engine.run(["sleep", "600"], { HostConfig: { Mounts: [mount] } });
  expect((await box.inspect()).Mounts).toMatchObject([
    { Type: "image", Name: "other:1", Destination: "/i", Mode: "", RW: false, Propagation: "" },
  ]);
  await expect(engine.wire.bytes("DELETE", "/images/other:1")).rejects.toMatchObject({ status: 409 });
  await box.stop(0);
  // Without its name it still shows its files.
  await engine.wire.bytes("DELETE", "/images/other:1?force=1");
  await box.start();
  expect((await box.exec(["ls", "/i/new"])).stdout).toBe("/i/new\n");
  await engine.kill9();
  await engine.start();
  expect((await box.exec(["ls", "/i/new"])).stdout).toBe("/i/new\n");
});

test("a running container gets one, and gives it back", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const change = (Mounts: object) => engine.wire.json("POST", `/containers/${box.id}/update`, { Changes: { Mounts } });
  for (const Subpath of ["", "data"]) {
    await change({ Add: [{ Type: "image", Source: testImage, Target: "/i", ImageOptions: { Subpath } }] });
    const file = Subpath === "" ? "/i/data/seed" : "/i/seed";
    expect((await box.exec(["cat", file])).stdout).toBe("from the image\n");
    expect((await box.exec(["touch", "/i/x"])).stderr).toContain("Read-only file system");
    await change({ Remove: ["/i"] });
    expect((await box.exec(["ls", "/i"])).code).not.toBe(0);
  }
});

test("in a user namespace its files belong to the container's own ids", async () => {
  await using engine = await startEngine();
  const whole = image("/i");
  const HostConfig = { ...whole.HostConfig, UsernsMode: "auto" };
  expect(await output(engine, "stat -c '%u:%g' /i /i/data/seed", { HostConfig })).toBe("0:0\n1000:2000\n");
});
