/** Writes the table of the walk into docs/api.md. */
import { join } from "node:path";
import { isOfNewerDocker } from "./differences.ts";
import { type Endpoint, endpoints, nameOf } from "./reference.ts";
import type { Finding } from "./walk.ts";

const page = join(import.meta.dir, "../../docs/api.md");

const introduction = `# The Engine API, endpoint by endpoint

\`bun run api-walk --write\` made this page: it walks the reference of API 1.50 and sends each endpoint a valid request,
and that request with each parameter and body field missing, of a wrong type or out of range, in every state of a
container; beside it, where \`dockerd\` is installed, it sends the same to Docker, in the newest version that both
speak (Debian's Docker is 20.10, with API 1.41). The columns are: the statuses that valid input got, those that changed
input got, how many requests there were; then, of the answers beside Docker, how many were equal in status, shape and
words, how many are different as Docker 28 is different from 20.10 (by its source), and how many for another reason.
The reasons stand below.

`;

/** `docker`: the findings beside Docker, none where there was none. */
export async function writeReport(findings: readonly Finding[], docker: readonly Finding[]): Promise<void> {
  const rows = endpoints.map((endpoint) => rowOf(endpoint, findings, docker));
  const head = ["endpoint", "valid", "changed", "requests", "as 20.10", "as 28", "otherwise"];
  const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  await Bun.write(page, `${introduction}${table}\n${reasonsOf([...findings, ...docker])}`);
}

function rowOf(endpoint: Endpoint, findings: readonly Finding[], docker: readonly Finding[]): string[] {
  const name = nameOf(endpoint);
  const own = findings.filter(({ request }) => nameOf(request.endpoint) === name);
  const compared = docker.filter(({ request }) => nameOf(request.endpoint) === name);
  const equal = compared.filter(({ faults, reasons }) => faults.length + reasons.length === 0);
  const newer = compared.filter(
    ({ faults, reasons }) => faults.length === 0 && reasons.length > 0 && reasons.every(isOfNewerDocker),
  );
  const counts = [equal.length, newer.length, compared.length - equal.length - newer.length];
  const isValid = ({ request }: Finding): boolean => request.title === "valid";
  return [
    `\`${name}\``,
    statuses(own.filter(isValid)),
    statuses(own.filter((finding) => !isValid(finding))),
    String(own.length),
    ...counts.map((count) => (compared.length === 0 ? "" : String(count))),
  ];
}

function statuses(findings: readonly Finding[]): string {
  return [...new Set(findings.map(({ ours }) => ours.status))].toSorted((a, b) => a - b).join(" ");
}

function reasonsOf(findings: readonly Finding[]): string {
  const counts = new Map<string, Set<string>>();
  for (const { request, reasons } of findings) {
    for (const reason of reasons) {
      counts.set(reason, (counts.get(reason) ?? new Set()).add(nameOf(request.endpoint)));
    }
  }
  const lines = [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([reason, where]) => `- ${reason} (${where.size === 1 ? [...where][0] : `${where.size} endpoints`})`);
  return lines.length === 0 ? "" : `\nWhere an answer is not Docker's:\n\n${lines.join("\n")}\n`;
}
