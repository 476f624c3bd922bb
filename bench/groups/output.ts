/** What containers write: over an attached stream, into the log, out of the log, and line by line while it grows. */
import { constants } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { output } from "../../tests/harness/process.ts";
import { atLeast, berthAtMost, type Group, median, milliseconds, type Workshop } from "../metric.ts";
import type { Target } from "../target.ts";

/** Lines of 80 bytes. */
const lines = (count: number) => `yes ${"x".repeat(79)} | head -n ${count}`;

/** One file that holds all of it. */
const whole = { Type: "json-file", Config: { "max-size": "1g" } };

const attach: Group = {
  name: "attach",
  metrics: [{ name: "attach_text", unit: "MB/s", better: "higher", bar: atLeast(1) }],
  runs: 5,
  run: async (target) => {
    const { bytes, streaming } = await target.client.run(target.name(), lines(3_000_000));
    if (bytes !== 240_000_000) throw new Error(`${bytes} bytes came through, not 240,000,000`);
    return { attach_text: bytes / 1e6 / streaming };
  },
  teardown: (target) => target.removeContainers(),
};

const logs: Group = {
  name: "logs",
  metrics: [
    { name: "logs_1m_lines", unit: "s", better: "lower" },
    { name: "logs_read", unit: "MB/s", better: "higher", bar: atLeast(3) },
  ],
  runs: 5,
  run: async (target) => {
    const name = target.name();
    try {
      await target.create(["sh", "-c", lines(1_000_000)], { HostConfig: { LogConfig: whole } }, name);
      const produced = await milliseconds(async () => {
        await target.start(name);
        await target.wait(name);
      });
      const { bytes, seconds } = await target.client.logs(name);
      if (bytes !== 80_000_000) throw new Error(`the log has ${bytes} bytes, not 80,000,000`);
      return { logs_1m_lines: produced / 1000, logs_read: bytes / 1e6 / seconds };
    } finally {
      await target.discard(name);
    }
  },
};

/** The container copies lines from a pipe that the bench writes to, so that nothing but the log path is timed. */
function follow(workshop: Workshop): Group {
  return {
    name: "logs_follow",
    metrics: [{ name: "logs_follow_latency", unit: "ms", better: "lower", bar: berthAtMost(5) }],
    runs: 5,
    run: async (target) => {
      const folder = await mkdtemp(join(workshop.folder, "pipe-"));
      const path = join(folder, "p");
      await output(["mkfifo", path]);
      // Open for reading as well, so that it does not end between the container's reads.
      const pipe = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
      try {
        return { logs_follow_latency: await latency(target, folder, (line) => pipe.write(`${line}\n`)) };
      } finally {
        await pipe.close();
        await rm(folder, { recursive: true });
      }
    },
  };
}

async function latency(target: Target, folder: string, write: (line: string) => Promise<unknown>): Promise<number> {
  const name = target.name();
  const script = 'exec 3<>/pipe/p; while read line <&3; do echo "$line"; done';
  try {
    await target.start(await target.create(["sh", "-c", script], { HostConfig: { Binds: [`${folder}:/pipe`] } }, name));
    await using following = await target.client.follow(name);
    await write("first.");
    if (!(await following.within("first.", 10_000))) throw new Error("no line was delivered within 10 s");
    const delays: number[] = [];
    for (let line = 0; line < 10; line++) {
      await Bun.sleep(120);
      const delay = await milliseconds(async () => {
        await write(`line${line}.`);
        if (!(await following.within(`line${line}.`, 5000))) throw new Error("a line was not delivered within 5 s");
      });
      delays.push(delay);
    }
    return median(delays);
  } finally {
    await target.discard(name);
  }
}

export const outputGroups = (workshop: Workshop): readonly Group[] => [attach, logs, follow(workshop)];
