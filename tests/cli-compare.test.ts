/** The same command line typed to `docker` and to `berth`: errors, pulls and helps, beside what `cli-compare-*` types. */
import { expect } from "bun:test";
import { CliComparison, plain } from "./harness/cli-comparison.ts";
import { busyboxLayer } from "./harness/image.ts";
import type { Finished } from "./harness/process.ts";
import { LocalRegistry } from "./harness/registry.ts";
import { tar } from "./harness/tar.ts";

const compare = new CliComparison();

compare.lines(
  "what is no command",
  String.raw`
  nosuch
  container nosuch
  container --nosuch
  --nosuch
  ps x
  help nosuch
  -l bogus ps
  -c default ps -q
  -c other -H unix:///nosuch.sock ps
  -H unix:///nosuch.sock ps
  -H unix:///nosuch.sock run IMAGE
  -H tcp://127.0.0.1:1 ps
  `,
);

compare.test("pulling, and running what is not here yet", async (engine) => {
  using registry = new LocalRegistry();
  registry.publish("box", "1", [await busyboxLayer(), tar([{ name: "top", content: "top\n" }])]);
  const name = `${registry.host}/box:1`;
  const lines = [
    ["pull", name],
    ["pull", "-q", name],
    ["run", "--rm", name, "cat", "/top"],
    ["run", "--rm", "-q", name, "cat", "/top"],
    ["run", "--rm", "--pull", "always", name, "cat", "/top"],
    ["run", "--rm", "--pull", "never", name, "cat", "/top"],
    ["create", "--name", "pulled", name],
    ["pull", `${registry.host}/nothere`],
    ["run", "--rm", `${registry.host}/nothere`],
    ["pull", "--platform", "linux/s390x", name],
  ];
  // Lines of layers that download side by side come in any order.
  const sorted = (finished: Finished) => {
    const { code, stdout, stderr } = plain(finished);
    return { code, stdout: stdout.split("\n").toSorted(byText), stderr: stderr.split("\n").toSorted(byText) };
  };
  const both = async (line: readonly string[]) => {
    const results: object[] = [];
    for (const program of ["docker", "berth"] as const) {
      results.push({ line, ...sorted(await engine[program](line)) });
      await engine.berth(["rm", "pulled"]);
      await engine.berth(["rmi", "-f", name]);
    }
    return results;
  };
  for (const line of lines) {
    const [theirs, ours] = await both(line);
    expect(ours).toEqual(theirs as object);
  }
});

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

compare.test("the help of every verb has Docker's flags", async (engine) => {
  const { entries } = await import("#cli/commands.ts");
  /** What follows "Options:", without the pages that Docker refers to and its experimental and legacy options. */
  const flags = (help: string) =>
    new Map(
      [...help.matchAll(/^ {2}(?:(-\w), | {4})--([\w-]+)(?: (\w+))?/gm)].map(([, short, long, type]) => [
        long,
        { short, type },
      ]),
    );
  const missing: string[] = [];
  for (const { spellings } of entries) {
    const words = (spellings[0] ?? "").split(" ");
    const theirs = await engine.docker([...words, "--help"]);
    if (theirs.code !== 0 || !theirs.stdout.includes(`berth ${words.join(" ")}`.replace("berth", "docker"))) continue;
    const ours = flags((await engine.berth([...words, "--help"])).stdout);
    for (const [long, shape] of flags(theirs.stdout)) {
      const own = ours.get(long);
      if (!own || own.short !== shape.short || own.type !== shape.type) missing.push(`${words.join(" ")} --${long}`);
    }
  }
  expect(missing).toEqual(refused);
});

/** Flags of Docker that ours do not have. */
const refused = ["image ls --tree"];
