/** Logs: complete, in order, cut as asked, and followed without delay. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LogConfig } from "#api/types/container-config.ts";
import { startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

test("all lines come back, with their streams, also without a last line end", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo one; echo two >&2; printf three"]);
  await box.wait();
  expect(await box.logs()).toEqual({ stdout: "one\nthree", stderr: "two\n" });
});

test("a long line is one line", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end"]);
  await box.wait();
  expect((await box.logs()).stdout).toBe(`${"x".repeat(100_000)}\nend\n`);
  expect((await box.logs("tail=1")).stdout).toBe("end\n");
  expect((await box.logs("tail=2")).stdout).toHaveLength(100_005);
});

test("tail, since, until and timestamps cut and mark", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "for i in $(seq 100); do echo line $i; done; sleep 1.1; echo late"]);
  await box.wait();
  expect((await box.logs("tail=3")).stdout).toBe("line 99\nline 100\nlate\n");
  expect((await box.logs("tail=0")).stdout).toBe("");
  expect((await box.logs("tail=all")).stdout.split("\n")).toHaveLength(102);
  const marked = (await box.logs("timestamps=1")).stdout.trimEnd().split("\n");
  const times = marked.map((line) => /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) /.exec(line)?.[1] ?? "");
  expect(times).not.toContain("");
  const last = Date.parse(times.at(-1) ?? "") / 1000;
  expect((await box.logs(`since=${last - 0.5}`)).stdout).toBe("late\n");
  expect((await box.logs(`until=${last - 0.5}`)).stdout).toEndWith("line 100\n");
  expect((await box.logs(`since=${times.at(-1)}`)).stdout).toBe("late\n");
});

test("follow gives what is there, then each line as it comes, and ends with the container", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "echo first; while read line; do echo $line; done"], { OpenStdin: true });
  using input = await box.attach("stream=1&stdin=1");
  const response = await engine.wire.send("GET", `/containers/${box.id}/logs?stdout=1&stderr=1&follow=1`);
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("no body");
  let text = "";
  const read = async (word: string) => {
    while (!text.includes(word)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`ended before ${word}: ${text}`);
      text += new TextDecoder("latin1").decode(value);
    }
  };
  await read("first");
  input.write("second\n");
  await read("second");
  input.write("third\n");
  await read("third");
  await box.kill();
  expect((await reader.read()).done).toBe(true);
});

test("a million bytes in short lines lose nothing", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sh", "-c", "seq 200000"]);
  await box.wait();
  const { stdout } = await box.logs();
  expect(stdout).toBe(`${Array.from({ length: 200_000 }, (_, index) => index + 1).join("\n")}\n`);
});

test("a restart continues the log; a removed container has none", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["echo", "again"]);
  await box.wait();
  await box.start();
  await until("it ran twice", async () => (await box.logs()).stdout === "again\nagain\n");
  await box.remove({ force: true });
  await expect(box.logs()).rejects.toMatchObject({ status: 404 });
});

test("neither stdout nor stderr asked for is an error; a driver that keeps none says so", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["echo", "x"], { HostConfig: { LogConfig: { Type: "none", Config: {} } } });
  await box.wait();
  await expect(engine.wire.bytes("GET", `/containers/${box.id}/logs`)).rejects.toMatchObject({
    status: 400,
    message: "Bad parameters: you must choose at least one stream",
  });
  const refusal = { status: 501, message: "configured logging driver does not support reading" };
  await expect(box.logs()).rejects.toMatchObject(refusal);
  await expect(engine.wire.bytes("POST", `/containers/${box.id}/attach?logs=1&stdout=1`)).rejects.toMatchObject(
    refusal,
  );
});

test("a log is bounded, from its beginning on, whatever a container writes", async () => {
  await using engine = await startEngine();
  const Config = { "max-size": "200k", "max-file": "3", compress: "false" };
  const box = await engine.run(["seq", "300000"], { HostConfig: { LogConfig: { Type: "json-file", Config } } });
  await box.wait();
  const folder = join(engine.dataRoot, "containers", box.id);
  const onDisk = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  await until("the log is in bounds", () => onDisk() < 650_000);
  const { stdout } = await box.logs();
  expect(stdout).toEndWith("\n299999\n300000\n");
  expect(stdout.length).toBeGreaterThan(40_000);
  const { LogPath, HostConfig } = await box.inspect();
  expect(statSync(LogPath).isFile()).toBe(true);
  expect(HostConfig.LogConfig).toEqual({ Type: "json-file", Config });
});

test("what was written while no daemon ran is brought into bounds by the next one", async () => {
  await using engine = await startEngine();
  const Config = { "max-size": "100k" };
  const box = await engine.run(["sh", "-c", "until [ -e /go ]; do sleep 0.05; done; seq 200000; sleep 600"], {
    HostConfig: { LogConfig: { Type: "local", Config } },
  });
  const { State } = await box.inspect();
  await engine.kill9();
  await Bun.write(`/proc/${State.Pid}/root/go`, "");
  const folder = join(engine.dataRoot, "containers", box.id);
  const size = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  await until("all is written", () => readFileSync(join(folder, "container.log"), "utf8").endsWith(" 200000\n"));
  await engine.start();
  await until("the log is in bounds", () => size() < 500_000);
  expect((await box.logs("tail=1")).stdout).toBe("200000\n");
});

test("the daemon's log driver and options are those of containers that name none", async () => {
  await using engine = await startEngine({
    arguments: ["--log-driver", "local", "--log-opt", "max-size=5m", "--log-opt", "labels=tier"],
  });
  const config = async (LogConfig: LogConfig = { Type: "", Config: {} }) => {
    const box = await engine.create(["true"], { HostConfig: { LogConfig } });
    return (await box.inspect()).HostConfig.LogConfig;
  };
  expect(await config()).toEqual({ Type: "local", Config: { "max-size": "5m", labels: "tier" } });
  expect(await config({ Type: "local", Config: { "max-size": "1m" } })).toEqual({
    Type: "local",
    Config: { "max-size": "1m", labels: "tier" },
  });
  expect(await config({ Type: "json-file", Config: {} })).toEqual({ Type: "json-file", Config: {} });
  const info = await engine.wire.json<{ LoggingDriver: string; Plugins: { Log: string[] } }>("GET", "/info");
  expect(info).toMatchObject({ LoggingDriver: "local", Plugins: { Log: ["json-file", "local"] } });
});

test("details tell the tag and what the options choose; other options are refused in Docker's words", async () => {
  await using engine = await startEngine();
  const create = (Type: string, Config: Record<string, string>, more: object = {}) =>
    engine.create(["echo", "x"], { ...more, HostConfig: { LogConfig: { Type, Config } } });
  const tag = "{{.Name}}/{{ .ID }}/{{.ImageName}}";
  const box = await create("json-file", { tag, env: "A" }, { name: "tagged", Env: ["A=1 2", "B=3"] });
  await box.start();
  await box.wait();
  const shown = encodeURIComponent(`tagged/${box.id.slice(0, 12)}/${testImage}`);
  expect((await box.logs("details=1")).stdout).toBe(`A=1+2,tag=${shown} x\n`);
  for (const [Type, Config, status, message] of [
    ["json-file", { "max-size": "big" }, 400, "failed to initialize logging driver: invalid size: 'big'"],
    ["json-file", { "max-size": "0" }, 400, "failed to initialize logging driver: max-size must be a positive number"],
    ["json-file", { "max-file": "0" }, 400, "failed to initialize logging driver: max-file cannot be less than 1"],
    [
      "local",
      { "max-file": "1" },
      400,
      "failed to initialize logging driver: compression cannot be enabled when max file count is 1",
    ],
    ["local", { "max-depth": "1" }, 400, "unknown log opt 'max-depth' for log driver local"],
    ["json-file", { mode: "lossy" }, 400, "logger: logging mode not supported: lossy"],
    [
      "json-file",
      { "max-buffer-size": "1m" },
      400,
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ],
    ["syslog", {}, 501, "the log driver 'syslog' is not supported yet: use json-file or local"],
    ["nonsense", {}, 400, "logger: no log driver named 'nonsense' is registered"],
  ] as const) {
    await expect(create(Type, Config)).rejects.toMatchObject({ status, message });
  }
  const { Warnings } = await engine.wire.json<{ Warnings: string[] }>("POST", "/containers/create", {
    Image: testImage,
    HostConfig: { LogConfig: { Type: "json-file", Config: { mode: "non-blocking" } } },
  });
  expect(Warnings).toEqual([expect.stringContaining("mode=non-blocking has no effect")]);
});

test("binary output, NULs and lines of megabytes come back as they were written", async () => {
  await using engine = await startEngine();
  const script = "head -c 3000000 /dev/zero; echo; printf 'a\\000b\\377\\r\\n'; head -c 20000 /dev/zero | tr '\\0' y";
  const box = await engine.run(["sh", "-c", script]);
  await box.wait();
  const frames = Buffer.from(await engine.wire.bytes("GET", `/containers/${box.id}/logs?stdout=1`));
  const parts: Buffer[] = [];
  for (let at = 0; at < frames.length;) {
    const size = frames.readUInt32BE(at + 4);
    parts.push(frames.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  const expected = Buffer.concat([
    Buffer.alloc(3_000_000),
    Buffer.from("\na\0b\xff\r\n", "latin1"),
    Buffer.alloc(20_000, "y"),
  ]);
  expect(Buffer.concat(parts).equals(expected)).toBe(true);
  expect((await box.logs("tail=1")).stdout).toBe("y".repeat(20_000));
});

test("logs of a container that is removed meanwhile are read to their end", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["seq", "300000"]);
  await box.wait();
  const response = await engine.wire.send("GET", `/containers/${box.id}/logs?stdout=1`);
  await box.remove({ force: true });
  const bytes = await response.bytes();
  expect(bytes.subarray(-7)).toEqual(new TextEncoder().encode("300000\n"));
});
