/**
 * Sends random and spoiled requests to a daemon of its own and looks whether it takes them well: each is answered with
 * a status of HTTP (or, where it is none, its connection is closed), none with a failure of ours, nothing is left
 * behind, and the daemon never grows, sampled all the time after a warm-up. Ends with exit code 1 otherwise.
 *
 *     bun run fuzz [--count 20000] [--seed N] [--growth MEBIBYTES]
 *
 * It runs in a network namespace of its own, and `fuzz/tame.ts` keeps containers away from the host. Needs root.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type Engine, startEngine } from "../tests/harness/engine.ts";
import { testImage } from "../tests/harness/image.ts";
import { WalkedDaemon } from "./api-walk/daemon.ts";
import { extraRequests } from "./api-walk/extras.ts";
import { allRequests, type WalkRequest } from "./api-walk/requests.ts";
import { type Reaction, send } from "./fuzz/client.ts";
import { mebibytes, MemoryWatch } from "./fuzz/memory.ts";
import { type Draft, encode, type Message, mutateDraft } from "./fuzz/message.ts";
import { errorMessage } from "#lib/errors.ts";
import { Random } from "./fuzz/random.ts";
import { acceptable } from "./fuzz/verdict.ts";

const INSIDE = "BERTH_FUZZ_INSIDE";
/** Requests under way at once. */
const LANES = 4;
/** After so many requests all that they made goes. */
const ROUND = 400;
/** Requests before memory is compared: caches and code are there by then. */
const WARM_UP = 2000;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    growth: { type: "string", default: "20" },
  },
});

if (process.env[INSIDE] === undefined) {
  const child = Bun.spawn(["unshare", "--net", "--", process.execPath, import.meta.path, ...process.argv.slice(2)], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, [INSIDE]: "1" },
  });
  process.exitCode = await child.exited;
} else {
  process.exitCode = (await fuzz(Number(values.count), Number(values.seed), Number(values.growth))) ? 0 : 1;
}

/** True where nothing was found. */
async function fuzz(count: number, seed: number, growth: number): Promise<boolean> {
  console.log(`${count} requests with seed ${seed}`);
  const folder = await mkdtemp("/var/tmp/fuzz-");
  try {
    await using engine = await startEngine({ image: false });
    using watch = new MemoryWatch(engine.pid);
    const daemon = new WalkedDaemon(engine.socket);
    await daemon.prepare();
    await startThreads(engine);
    const faults: string[] = [];
    const statuses = new Map<number, number>();
    const warmUp = Math.min(WARM_UP, Math.floor(count / 2));
    let before = { memory: 0, files: 0 };
    const begun = performance.now();
    let settling = 0;
    for (let from = 0; from < count; from += ROUND) {
      if (before.memory === 0 && from >= warmUp) {
        const start = performance.now();
        before = await watch.pause();
        watch.restart();
        settling += performance.now() - start;
      }
      await round(engine, daemon, { from, to: Math.min(from + ROUND, count), seed, folder }, (fault, reaction) => {
        if (fault !== undefined) faults.push(fault);
        for (const status of reaction.statuses) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      });
      await daemon.restore();
    }
    const seconds = (performance.now() - begun - settling) / 1000;
    const { peak } = watch;
    const after = await watch.pause();
    console.log(
      `statuses: ${[...statuses]
        .toSorted(([a], [b]) => a - b)
        .map((pair) => pair.join("×"))
        .join(" ")}`,
    );
    console.log(
      `${Math.round(count / seconds)} requests/s; memory ${mebibytes(before.memory)} after ${warmUp} requests, ` +
        `at most ${mebibytes(peak)} from then on (${growthOf(peak - before.memory)}), ` +
        `${mebibytes(after.memory)} at the end (${growthOf(after.memory - before.memory)}); ` +
        `open files ${before.files}, ${after.files}`,
    );
    if (peak - before.memory > growth * 1024) faults.push(`the daemon grew by ${mebibytes(peak - before.memory)}`);
    if (after.files > before.files + 5)
      faults.push(`the daemon had ${before.files} files open, and now ${after.files}`);
    for (const fault of new Set(faults)) console.log(`FAULT ${fault}`);
    console.log(`${faults.length} faults, seed ${seed}`);
    return faults.length === 0;
  } catch (error) {
    console.log(`FAULT seed ${seed}: ${errorMessage(error)}`);
    return false;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Lets the daemon start the threads that it starts when they are first needed: to have them is no growth. */
async function startThreads({ wire }: Engine): Promise<void> {
  await wire.json("POST", "/networks/create", { Name: "warm" });
  const HostConfig = { NetworkMode: "warm", PortBindings: { "53/udp": [{ HostPort: "" }] } };
  const body = { Image: testImage, Cmd: ["sleep", "60"], HostConfig };
  await wire.json("POST", "/containers/create?name=warm", body);
  await wire.bytes("POST", "/containers/warm/start");
  await wire.bytes("DELETE", "/containers/warm?force=1");
  await wire.bytes("DELETE", "/networks/warm");
}

interface Round {
  from: number;
  to: number;
  seed: number;
  folder: string;
}

async function round(
  { socket }: Engine,
  daemon: WalkedDaemon,
  { from, to, seed, folder }: Round,
  tell: (fault: string | undefined, reaction: Reaction) => void,
): Promise<void> {
  const corpus = [...allRequests(), ...extraRequests()];
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < to) {
      const index = next++;
      const random = new Random(seed * 1_000_003 + index);
      const request = random.pick(corpus);
      const message = await makeMessage(random, request, daemon, folder);
      const reaction = await send(socket, message, 8000);
      const fault = acceptable(request, message, reaction);
      tell(fault === undefined ? undefined : `#${index} ${message.title}: ${fault}`, reaction);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function makeMessage(
  random: Random,
  request: WalkRequest,
  daemon: WalkedDaemon,
  folder: string,
): Promise<Message> {
  const { path, query, body } = await daemon
    .locate(request)
    .catch(() => ({ path: "/v1.50/walk", query: "", body: "" }));
  const draft: Draft = {
    method: request.endpoint.method,
    path,
    query: [...new URLSearchParams(query)],
    headers: [],
    body: typeof body === "string" ? jsonOf(body) : undefined,
    ...(body instanceof Uint8Array && { archive: body }),
  };
  mutateDraft(random, draft, folder);
  return encode(random, draft);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function growthOf(kibibytes: number): string {
  return `${kibibytes >= 0 ? "+" : ""}${mebibytes(kibibytes)}`;
}
