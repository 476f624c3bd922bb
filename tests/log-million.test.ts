/** Many lines through each local driver while the log is rotated and the daemon dies: none is lost, none comes twice. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Box } from "./harness/box.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { until } from "./harness/process.ts";

/** Counts to `parts` × `size`; before each part it waits for a file of that number. */
function counting(parts: number, size: number): string[] {
  const wait = "until [ -e /go$i ]; do sleep 0.02; done";
  return ["sh", "-c", `for i in $(seq ${parts}); do ${wait}; seq $(((i-1)*${size}+1)) $((i*${size})); done`];
}

function expectNumbers(text: string, count: number, end = "\n"): void {
  const lines = text.split(end);
  expect(lines.pop()).toBe("");
  const wrong = lines.findIndex((line, index) => line !== String(index + 1));
  expect({ wrong, line: lines[wrong], lines: lines.length }).toEqual({ wrong: -1, line: undefined, lines: count });
}

/** Numbers of the log's files. */
function files(engine: Engine, { id }: Box): Set<string> {
  const names = readdirSync(join(engine.dataRoot, "containers", id));
  return new Set(names.flatMap((name) => /\.log\.(\d{8})(?:\.zst)?$/.exec(name)?.[1] ?? []));
}

/** Lets a part be written, and kills the daemon once it has begun another file. */
async function killInPart(engine: Engine, box: Box, part: number): Promise<void> {
  const before = files(engine, box).size;
  await box.exec(["touch", `/go${part}`]);
  await until("another file is begun", () => files(engine, box).size > before);
  await engine.kill9();
  await engine.start();
}

for (const Type of ["json-file", "local"]) {
  test(`1,000,000 lines through ${Type}, the daemon killed in between`, async () => {
    await using engine = await startEngine();
    const Config = { "max-size": "1m", "max-file": "1000" };
    const box = await engine.run(counting(2, 500_000), { HostConfig: { LogConfig: { Type, Config } } });
    await killInPart(engine, box, 1);
    const following = box.logs("follow=1");
    await box.exec(["touch", "/go2"]);
    await box.wait();
    expectNumbers((await box.logs()).stdout, 1_000_000);
    expectNumbers((await following).stdout, 1_000_000);
    expect((await box.logs("tail=2")).stdout).toBe("999999\n1000000\n");
    expect(files(engine, box).size).toBeGreaterThan(8);
  }, 60_000);
}

test("a terminal's lines, the daemon killed three times while it rotates", async () => {
  await using engine = await startEngine();
  const LogConfig = { Type: "local", Config: { "max-size": "100k", "max-file": "1000" } };
  const box = await engine.run(counting(3, 30_000), { Tty: true, HostConfig: { LogConfig } });
  for (let part = 1; part <= 3; part++) await killInPart(engine, box, part);
  await box.wait();
  expectNumbers(await box.rawLogs(), 90_000, "\r\n");
}, 60_000);
