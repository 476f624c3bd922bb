/**
 * Walks the Engine API's reference: every endpoint, with valid input and with each parameter and field made wrong, at a
 * real daemon, and at a real Docker beside it where `dockerd` is installed. Ends with exit code 1 where an answer is
 * neither as the reference and Docker have it nor on the list of known differences (`api-walk/differences.ts`).
 *
 *     bun run api-walk [--no-docker] [--only TEXT] [--write]
 *
 * `--only` takes the endpoints whose name contains the text; `--write` puts the table into docs/api.md. Needs root.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { parseArgs } from "node:util";
import { launchDocker } from "../bench/launch.ts";
import { startEngine } from "../tests/harness/engine.ts";
import { WalkedDaemon } from "./api-walk/daemon.ts";
import { extraRequests } from "./api-walk/extras.ts";
import { nameOf } from "./api-walk/reference.ts";
import { writeReport } from "./api-walk/report.ts";
import { allRequests } from "./api-walk/requests.ts";
import { type Finding, walk } from "./api-walk/walk.ts";

const { values } = parseArgs({
  options: { "no-docker": { type: "boolean" }, only: { type: "string" }, write: { type: "boolean" } },
});
const requests = [...allRequests(), ...extraRequests()].filter(({ endpoint }) =>
  nameOf(endpoint).includes(values.only ?? ""),
);
const findings = await byReference();
const beside = values["no-docker"] || Bun.which("dockerd") === null ? [] : await besideDocker();
for (const [how, some] of Object.entries({ "by the reference": findings, "beside Docker": beside })) {
  console.log(`${how}: ${some.length} requests, ${some.filter(({ faults }) => faults.length > 0).length} with faults`);
}
if (values.write) await writeReport(findings, beside);
process.exitCode = [...findings, ...beside].some(({ faults }) => faults.length > 0) ? 1 : 0;

async function byReference(): Promise<Finding[]> {
  await using engine = await startEngine({ image: false });
  const ours = new WalkedDaemon(engine.socket);
  await ours.prepare();
  return await walk(requests, ours, undefined, tell);
}

/** In the version that this Docker speaks. */
async function besideDocker(): Promise<Finding[]> {
  await using undo = new AsyncDisposableStack();
  const engine = undo.use(await startEngine({ image: false }));
  const places = { work: await mkdtemp("/var/tmp/api-walk-"), run: await mkdtemp("/run/api-walk-") };
  undo.defer(async () => {
    for (const folder of Object.values(places)) await rm(folder, { recursive: true, force: true });
  });
  const { socket } = await launchDocker(places, undo);
  const answer = await fetch("http://localhost/_ping", { unix: socket });
  const version = answer.headers.get("Api-Version") ?? undefined;
  const [ours, docker] = [new WalkedDaemon(engine.socket, version), new WalkedDaemon(socket, version)];
  await Promise.all([ours.prepare(), docker.prepare()]);
  return await walk(requests, ours, docker, tell);
}

function tell({ request, theirs, faults }: Finding): void {
  const where = theirs === undefined ? "" : "beside Docker: ";
  for (const fault of faults) console.log(`${where}${nameOf(request.endpoint)} | ${request.title} | ${fault}`);
}
