/** Sends every request of the walk to a daemon, and judges the answers by the reference and beside Docker's. */
import type { Answer, WalkedDaemon } from "./daemon.ts";
import { knownDifference, optionalField, ownField } from "./differences.ts";
import { type Endpoint, nameOf } from "./reference.ts";
import type { WalkRequest } from "./requests.ts";
import { absentFields, differingShape, strayFields } from "./shape.ts";

export interface Finding {
  readonly request: WalkRequest;
  readonly ours: Answer;
  /** Where the request also went to Docker. */
  readonly theirs?: Answer;
  readonly faults: string[];
  /** Why what seemed a fault is none: from the list of known differences. */
  readonly reasons: string[];
}

/** There are few more subnets for networks. */
const TIDY_AFTER = 10;

/** Asks one after the other, and judges by the reference; beside Docker, by its answers to the same. */
export async function walk(
  requests: readonly WalkRequest[],
  ours: WalkedDaemon,
  docker?: WalkedDaemon,
  progress: (finding: Finding) => void = () => {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let endpoint: Endpoint | undefined;
  let sinceTidy = 0;
  for (const request of requests) {
    if (request.endpoint !== endpoint || sinceTidy++ >= TIDY_AFTER) {
      await Promise.all([ours.tidy(), docker?.tidy()]);
      sinceTidy = 0;
    }
    endpoint = request.endpoint;
    const [answer, other] = await Promise.all([ours.ask(request), docker?.ask(request)]);
    const finding = judge(request, answer, other);
    progress(finding);
    findings.push(finding);
  }
  await Promise.all([ours.tidy(), docker?.tidy()]);
  return findings;
}

function judge(request: WalkRequest, ours: Answer, theirs: Answer | undefined): Finding {
  const finding: Finding = { request, ours, ...(theirs && { theirs }), faults: [], reasons: [] };
  for (const fault of theirs ? differences(request, ours, theirs) : faultsOf(request, ours)) {
    const reason = knownDifference(request, fault);
    if (reason === undefined) finding.faults.push(fault);
    else if (!finding.reasons.includes(reason)) finding.reasons.push(reason);
  }
  return finding;
}

/** By the reference alone. */
function faultsOf({ endpoint, valid, refused }: WalkRequest, { status, message, json, contentType }: Answer): string[] {
  const faults: string[] = [];
  const { answer } = endpoint;
  if (valid && status >= 400) faults.push(`the valid request got ${status}: ${message}`);
  if (status === 0) return [`no answer: ${message}`];
  if (refused === undefined && status >= 500) faults.push(`status ${status}: ${message}`);
  if (status >= 400 && endpoint.method !== "HEAD" && !contentType.startsWith("application/json")) {
    faults.push(`the error is of type ${JSON.stringify(contentType)}`);
  }
  if (status >= 400 && endpoint.method !== "HEAD" && !message) faults.push(`status ${status} without a message`);
  if (status >= 300 || status === 101 || answer === undefined) return faults;
  if (json === undefined) return endpoint.method === "HEAD" ? faults : [...faults, "the answer is no JSON"];
  faults.push(...strayFields(json, answer).filter((line) => !ownField(nameOf(endpoint), line)));
  if (valid) {
    const absent = absentFields(json, answer).filter((field) => !optionalField(nameOf(endpoint), field));
    faults.push(...absent.map((field) => `${field} of the reference is absent`));
  }
  return faults;
}

/** Status, shape and words. */
function differences({ endpoint }: WalkRequest, ours: Answer, theirs: Answer): string[] {
  if (ours.status !== theirs.status) {
    return [`status ${ours.status} (${ours.message ?? ""}), Docker ${theirs.status} (${theirs.message ?? ""})`];
  }
  const [mine, other] = [comparable(ours.message), comparable(theirs.message)];
  if (mine !== other) return [`message ${JSON.stringify(mine)}, Docker ${JSON.stringify(other)}`];
  if (ours.status >= 300) return [];
  return [
    ...(kind(ours) === kind(theirs) ? [] : [`type ${kind(ours)}, Docker ${kind(theirs)}`]),
    ...differingShape(ours.json, theirs.json, endpoint.answer).map((line) => `shape: ${line}`),
  ];
}

function kind({ contentType }: Answer): string {
  return contentType.split(";")[0] ?? "";
}

/** Ids are each daemon's own, and so are the names that the walk gives. */
function comparable(message: string | undefined): string | undefined {
  return message?.replaceAll(/[0-9a-f]{64}/g, "ID").replaceAll(/walk-(fresh|new)-\d+/g, "walk-$1");
}
