/** DNS in tests: asks from inside a container, and serves inside one. */
import { join } from "node:path";
import type { Box } from "./box.ts";
import type { Tally } from "./dns-hammer.ts";
import type { Answer, Question } from "./dns-wire.ts";
import { output } from "./process.ts";

/** A container, or what else has a network namespace. */
export type Place = Pick<Box, "namespace">;

export interface AskOptions {
  server?: string;
  /** How long a query waits for its answer before it is sent again; milliseconds. */
  patience?: number;
  tries?: number;
}

/** Answers in the order of the questions, as the container gets them. */
export async function askAll(
  place: Place,
  questions: readonly Question[],
  options: AskOptions = {},
): Promise<Answer[]> {
  const { server = "127.0.0.11", patience = 20_000, tries = 1 } = options;
  const program = [process.execPath, join(import.meta.dir, "dns-client.ts"), server, `${patience}`, `${tries}`];
  return JSON.parse(
    await output(["nsenter", `--net=${await place.namespace()}`, ...program, JSON.stringify(questions)]),
  ) as Answer[];
}

export async function ask(place: Place, question: Question | string, options?: AskOptions): Promise<Answer> {
  const [answer] = await askAll(place, [typeof question === "string" ? { name: question } : question], options);
  if (answer === undefined) throw new Error("no answer");
  return answer;
}

/** Asks for a name without pause until `end`, which tells how that went. */
export async function hammer(place: Place, name: string, address: string): Promise<{ end: () => Promise<Tally> }> {
  const program = [process.execPath, join(import.meta.dir, "dns-hammer.ts"), name, address];
  const child = Bun.spawn(["nsenter", `--net=${await place.namespace()}`, ...program], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  return {
    async end() {
      await child.stdin.end();
      return JSON.parse(await child.stdout.text()) as Tally;
    },
  };
}

/** Sends as many queries at once; answers how many had which code. */
export async function flood(place: Place, count: number, suffix: string): Promise<Record<string, number>> {
  const program = [process.execPath, join(import.meta.dir, "dns-flood.ts"), `${count}`, suffix];
  const text = await output(["nsenter", `--net=${await place.namespace()}`, ...program]);
  return JSON.parse(text) as Record<string, number>;
}

/** Serves at the container's address until it is disposed of: what dns-upstream.ts says. */
export async function serve(place: Place, address: string, mark = 1): Promise<AsyncDisposable> {
  const program = [process.execPath, join(import.meta.dir, "dns-upstream.ts"), address, `${mark}`];
  const child = Bun.spawn(["nsenter", `--net=${await place.namespace()}`, ...program], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}
