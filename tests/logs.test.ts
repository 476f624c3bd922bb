/** Logs: complete, in order, cut as asked, and followed without delay. */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";
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
  await expect(box.logs()).rejects.toMatchObject({ message: expect.stringContaining("does not support reading") });
});
