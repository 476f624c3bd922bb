/** One daemon with a few containers, a network and a volume, and command lines typed at it to `docker` and to `berth`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type Engine, startEngine } from "./engine.ts";
import { testImage } from "./image.ts";
import type { Finished } from "./process.ts";

const SCENE = String.raw`
  network create --label a=1 net1
  volume create --label kind=test vol1
  run -d --name web -p 80 -p 127.0.0.1::90/udp --label a=1 -v vol1:/v --network net1 IMAGE sh -c 'echo up; echo err >&2; sleep 600'
  run --name done IMAGE sh -c 'exit 3'
  create --name made IMAGE a-very-long-command with many words 'in it'
  run -d --name frozen IMAGE sleep 600
  pause frozen
`;

/** Registers the tests of one file. They are skipped, with the reason in their names, where there is no docker CLI. */
export class CliComparison {
  readonly #installed = Bun.which("docker") !== null;
  #engine: Engine | undefined;

  constructor() {
    if (!this.#installed) return;
    beforeAll(async () => {
      const engine = await startEngine();
      this.#engine = engine;
      for (const line of linesOf(SCENE)) await engine.berth(words(engine, line));
      await Bun.write(join(engine.execRoot, "good.env"), "A=1\n# comment\n\nPATH\nNO_SUCH_VARIABLE\n  C= x \n");
      await Bun.write(join(engine.execRoot, "bad.env"), "A=1\n=x\n");
    });
    afterAll(async () => await this.#engine?.[Symbol.asyncDispose]());
  }

  /** A test that needs both programs. */
  test(name: string, body: (engine: Engine) => Promise<void>): void {
    const why = this.#installed ? "" : " (skipped: no docker CLI on this machine)";
    test.skipIf(!this.#installed)(`${name}${why}`, async () => {
      if (this.#engine === undefined) throw new Error("the daemon has not been started");
      await body(this.#engine);
    });
  }

  /** A test of command lines, one a line; IMAGE and ROOT in them are the test image and the daemon's exec root. */
  lines(name: string, lines: string): void {
    this.test(name, async (engine) => {
      const [theirs, ours]: [object[], object[]] = [[], []];
      for (const line of linesOf(lines)) {
        theirs.push({ line, ...plain(await engine.docker(words(engine, line))) });
        ours.push({ line, ...plain(await engine.berth(words(engine, line))) });
      }
      expect(ours).toEqual(theirs);
    });
  }
}

/** Ours is called by another name; ids of what each of them made differ, and so do ages while time goes on. */
export function plain({ code, stdout, stderr }: Finished): Finished {
  const text = (raw: string) =>
    raw
      // A slip in Docker's own text.
      .replaceAll("SRun 'docker", "Run 'docker")
      .replaceAll("docker", "berth")
      .replaceAll("Docker", "Berth")
      .replaceAll(/\b[0-9a-f]{64}\b/g, "<id>")
      .replaceAll(/\b(?:Less than a second|(?:\d+|About an?) (?:second|minute)s?)\b/g, "<age>")
      .replaceAll(/ {2,}/g, "  ");
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function linesOf(text: string): string[] {
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim());
}

/** Command lines as a shell would take them: blanks part words, quotes keep them together. */
function words(engine: Engine, line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) =>
    (quoted ?? bare ?? "").replaceAll("IMAGE", testImage).replaceAll("ROOT", engine.execRoot),
  );
}
