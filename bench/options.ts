/** The bench's command line. */
import { parseArgs } from "node:util";

export interface Options {
  /** Names of metrics or groups; all where empty. */
  only: readonly string[];
  runs: number | undefined;
  json: string | undefined;
  list: boolean;
  noDocker: boolean;
  /** Socket paths of daemons that run already. */
  berth: string | undefined;
  docker: string | undefined;
  growthRounds: number;
  /** Seconds. */
  settle: number;
  work: string;
}

const usage = `Usage: bun run bench [OPTIONS]

Measures Berth and, where dockerd is installed, Docker beside it. Needs root.

  --only a,b             Only these metrics or groups
  --list                 Name them and end
  --runs N               Counted runs of each metric (default: 10 short, 5 medium, 3 long ones, 1 of mem_growth)
  --growth-rounds N      Rounds of run and remove for mem_growth (default 200; its bar is for 2000)
  --settle SECONDS       Rest before images are loaded (default 65: ext4, see docs/performance.md)
  --work FOLDER          Where the daemons keep their data (default /var/tmp)
  --json FILE            Write all values there
  --no-docker            Leave Docker out
  --berth unix://SOCKET  Measure this daemon instead of starting one
  --docker unix://SOCKET Likewise
`;

/** Throws what to tell the user where the words make no sense; undefined where help was asked for and given. */
export function parseOptions(words: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: "string" },
      runs: { type: "string" },
      json: { type: "string" },
      list: { type: "boolean", default: false },
      "no-docker": { type: "boolean", default: false },
      berth: { type: "string" },
      docker: { type: "string" },
      "growth-rounds": { type: "string", default: "200" },
      settle: { type: "string", default: "65" },
      work: { type: "string", default: "/var/tmp" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return undefined;
  }
  if (values["no-docker"] && values.docker !== undefined)
    throw new Error("--no-docker and --docker exclude each other");
  return {
    only: values.only?.split(",") ?? [],
    runs: values.runs === undefined ? undefined : count("--runs", values.runs, 1),
    json: values.json,
    list: values.list,
    noDocker: values["no-docker"],
    berth: socketPath("--berth", values.berth),
    docker: socketPath("--docker", values.docker),
    growthRounds: count("--growth-rounds", values["growth-rounds"], 1),
    settle: count("--settle", values.settle, 0),
    work: values.work,
  };
}

function count(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least)
    throw new Error(`${option} takes a whole number from ${least} on, not "${text}"`);
  return value;
}

function socketPath(option: string, host: string | undefined): string | undefined {
  if (host === undefined) return undefined;
  if (!host.startsWith("unix:///")) throw new Error(`${option} takes unix:///PATH, not "${host}"`);
  return host.slice("unix://".length);
}
