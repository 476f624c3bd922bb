/** Testcontainers for Node, as test suites use it: nothing in it knows Berth. Its reaper is off: no hub gives the image. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { GenericContainer, Network, PullPolicy, type StartedTestContainer, Wait } from "testcontainers";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxLayer, testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";
import { LocalRegistry } from "./harness/registry.ts";

const overridden = ["DOCKER_HOST", "TESTCONTAINERS_RYUK_DISABLED", "TESTCONTAINERS_REUSE_ENABLE"] as const;
const before = overridden.map((name) => process.env[name]);
let engine: Engine;

// The library looks for its daemon once for all.
beforeAll(async () => {
  engine = await startEngine();
  process.env["DOCKER_HOST"] = `unix://${engine.socket}`;
  process.env["TESTCONTAINERS_RYUK_DISABLED"] = "true";
  process.env["TESTCONTAINERS_REUSE_ENABLE"] = "true";
});
afterAll(async () => {
  for (const [i, name] of overridden.entries()) {
    if (before[i] === undefined) delete process.env[name];
    else process.env[name] = before[i];
  }
  await engine[Symbol.asyncDispose]();
});

const server = () =>
  new GenericContainer(testImage)
    .withCommand(["sh", "-c", "echo starting; exec httpd -f -v -p 80 -h /var/www"])
    .withExposedPorts(80);

async function page(container: StartedTestContainer, path = "/"): Promise<string> {
  const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}${path}`, {
    headers: { Connection: "close" },
  });
  return await answer.text();
}

test("waits for ports, and stops", async () => {
  const container = await server().start();
  expect(await page(container)).toBe("hello from the container\n");
  await container.stop();
  expect(await engine.list()).toEqual([]);
});

test("waits for log lines, a page, a command that succeeds, and all of them", async () => {
  const strategies = [
    Wait.forLogMessage(/start.*g/),
    Wait.forHttp("/index.html", 80).forStatusCode(200),
    Wait.forSuccessfulCommand("wget -q -O - http://127.0.0.1/"),
  ];
  for (const strategy of [...strategies, Wait.forAll(strategies)]) {
    await using container = await server().withWaitStrategy(strategy).start();
    expect(await page(container)).toBe("hello from the container\n");
  }
});

test("waits for health, and for a task to end", async () => {
  await using healthy = await server()
    .withHealthCheck({
      test: ["CMD-SHELL", "wget -q -O - http://127.0.0.1/"],
      interval: 100,
      timeout: 2000,
      retries: 50,
    })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  expect(
    (await engine.wire.json<{ State: { Health: { Status: string } } }>("GET", `/containers/${healthy.getId()}/json`))
      .State.Health.Status,
  ).toBe("healthy");
  await using task = await new GenericContainer(testImage)
    .withCommand(["sh", "-c", "echo done"])
    .withWaitStrategy(Wait.forOneShotStartup())
    .start();
  expect(await text(await task.logs())).toBe("done\n");
});

test("a start that never gets ready is given up with the container's log", async () => {
  const starting = new GenericContainer(testImage)
    .withCommand(["sh", "-c", "echo only this; sleep 600"])
    .withWaitStrategy(Wait.forLogMessage("something else"))
    .withStartupTimeout(1000)
    .start();
  await expect(starting).rejects.toThrow("something else");
  await until("the library has removed it", async () => (await engine.list()).length === 0);
});

test("runs commands, as another user, elsewhere, with variables", async () => {
  await using container = await server().withEnvironment({ GIVEN: "at start" }).start();
  expect(await container.exec(["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
    exitCode: 3,
    output: "out\nerr\n",
    stdout: "out\n",
    stderr: "err\n",
  });
  const { output } = await container.exec(["sh", "-c", "echo $(id -un) $(pwd) $GIVEN $LATER"], {
    user: "app",
    workingDir: "/tmp",
    env: { LATER: "now" },
  });
  expect(output).toBe("app /tmp at start now\n");
});

test("copies content, files and folders in, before the start and after, and archives out", async () => {
  const folder = mkdtempSync("/var/tmp/bt-copied-");
  try {
    writeFileSync(join(folder, "one"), "first\n");
    writeFileSync(join(folder, "two"), "second\n", { mode: 0o755 });
    await using container = await server()
      .withCopyContentToContainer([{ content: "early\n", target: "/var/www/early" }])
      .withCopyFilesToContainer([{ source: join(folder, "one"), target: "/var/www/one", mode: 0o644 }])
      .start();
    expect(await page(container, "/early")).toBe("early\n");
    expect(await page(container, "/one")).toBe("first\n");
    await container.copyContentToContainer([{ content: "late\n", target: "/var/www/late" }]);
    await container.copyDirectoriesToContainer([{ source: folder, target: "/copied" }]);
    expect(await page(container, "/late")).toBe("late\n");
    expect((await container.exec(["sh", "-c", "cat /copied/*; test -x /copied/two"])).output).toBe("first\nsecond\n");
    const archive = await container.copyArchiveFromContainer("/copied/two");
    const bytes = Buffer.concat(await Array.fromAsync(archive as AsyncIterable<Buffer>));
    expect(bytes.toString()).toContain("second\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a network of their own, with aliases", async () => {
  await using network = await new Network().start();
  await using web = await server().withNetwork(network).withNetworkAliases("web", "other").start();
  await using client = await new GenericContainer(testImage).withCommand(["sleep", "600"]).withNetwork(network).start();
  const shown = await engine.wire.json<{ NetworkSettings: { Networks: Record<string, { Aliases: string[] }> } }>(
    "GET",
    `/containers/${web.getId()}/json`,
  );
  expect(shown.NetworkSettings.Networks[network.getName()]?.Aliases).toEqual(expect.arrayContaining(["web", "other"]));
  const address = web.getIpAddress(network.getName());
  expect((await client.exec(["wget", "-q", "-O", "-", `http://${address}/`])).output).toBe(
    "hello from the container\n",
  );
});

test("restarts, and follows logs over it", async () => {
  await using container = await server().start();
  await container.restart();
  expect(await page(container)).toBe("hello from the container\n");
  const logs = await container.logs();
  let seen = "";
  logs.on("data", (chunk: Buffer | string) => (seen += chunk.toString()));
  await page(container, "/nothing");
  await until(
    "both starts and the request are told",
    () => seen.split("starting").length === 3 && seen.includes("404"),
  );
  const ended = once(logs, "end");
  await container.stop();
  await ended;
});

test("settings of containers: mounts, user, limits, labels, name, host entries", async () => {
  const folder = mkdtempSync("/var/tmp/bt-bound-");
  try {
    writeFileSync(join(folder, "given"), "from the host\n");
    await using container = await new GenericContainer(testImage)
      .withName("settled")
      .withCommand(["sh", "-c", "cat /given; id -un; pwd; hostname; grep elsewhere /etc/hosts; df /scratch; sleep 600"])
      .withBindMounts([{ source: join(folder, "given"), target: "/given", mode: "ro" }])
      .withTmpFs({ "/scratch": "rw,size=1m" })
      .withUser("app")
      .withWorkingDir("/tmp")
      .withHostname("named")
      .withExtraHosts([{ host: "elsewhere", ipAddress: "10.9.8.7" }])
      .withResourcesQuota({ memory: 0.1, cpu: 0.5 })
      .withSharedMemorySize(32 * 1024 * 1024)
      .withUlimits({ nofile: { soft: 100, hard: 200 } })
      .withDroppedCapabilities("CHOWN")
      .withLabels({ part: "a" })
      .withPlatform("linux")
      .withWaitStrategy(Wait.forLogMessage("scratch"))
      .start();
    const logged = await new Promise<string>((resolve, reject) => {
      let seen = "";
      container.logs().then((stream) => {
        stream.on("data", (chunk: Buffer | string) => {
          seen += chunk.toString();
          if (seen.includes("/scratch\n")) resolve(seen);
        });
      }, reject);
    });
    expect(logged).toStartWith("from the host\napp\n/tmp\nnamed\n10.9.8.7\telsewhere\n");
    const { Config, HostConfig } = await engine.wire.json<{
      Config: { Labels: Record<string, string> };
      HostConfig: Record<string, unknown>;
    }>("GET", "/containers/settled/json");
    expect(Config.Labels).toMatchObject({ part: "a", "org.testcontainers": "true" });
    expect(HostConfig).toMatchObject({ NanoCpus: 500_000_000, ShmSize: 33_554_432, CapDrop: ["CHOWN"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("pulls an image that is not there, and again where told to", async () => {
  using registry = new LocalRegistry();
  registry.publish("team/tool", "1", [await busyboxLayer()]);
  const name = `${registry.host}/team/tool:1`;
  for (const policy of [PullPolicy.defaultPolicy(), PullPolicy.alwaysPull()]) {
    await using container = await new GenericContainer(name)
      .withPullPolicy(policy)
      .withCommand(["sleep", "600"])
      .start();
    expect((await container.exec(["cat", "/data/seed"])).output).toBe("from the image\n");
  }
  expect(registry.requests.filter((request) => request.includes("/manifests/1")).length).toBeGreaterThan(1);
});

test("keeps a container for reuse and finds it again", async () => {
  const kept = () =>
    new GenericContainer(testImage).withCommand(["sleep", "600"]).withReuse().withLabels({ kept: "yes" });
  const first = await kept().start();
  const again = await kept().start();
  expect(again.getId()).toBe(first.getId());
  await first.stop();
});
