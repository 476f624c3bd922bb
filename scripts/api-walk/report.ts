/** Writes the table of the walk into docs/api.md. */
import { join } from "node:path";
import { type Endpoint, endpoints, nameOf } from "./reference.ts";
import type { Finding } from "./walk.ts";

const page = join(import.meta.dir, "../../docs/api.md");

const introduction = `# The Engine API, endpoint by endpoint

\`bun run api-walk --write\` made this page: it walks the reference of API 1.50 and sends each endpoint a valid request,
and that request with each parameter and body field missing, of a wrong type or out of range, in every state of a
container; beside it, where \`dockerd\` is installed, it sends the same to Docker, in the newest version that both
speak. The columns are: the statuses that valid input got, those that changed input got, how many requests there were,
and how many of Docker's answers were equal in status, shape and words. The reasons of the others stand below.

`;

/** `docker`: the findings beside Docker, none where there was none. */
export async function writeReport(findings: readonly Finding[], docker: readonly Finding[]): Promise<void> {
  const rows = endpoints.map((endpoint) => rowOf(endpoint, findings, docker));
  const head = ["endpoint", "valid", "changed", "requests", "as Docker"];
  const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  await Bun.write(page, `${introduction}${table}\n${reasonsOf([...findings, ...docker])}`);
}

function rowOf(endpoint: Endpoint, findings: readonly Finding[], docker: readonly Finding[]): string[] {
  const name = nameOf(endpoint);
  const own = findings.filter(({ request }) => nameOf(request.endpoint) === name);
  const compared = docker.filter(({ request }) => nameOf(request.endpoint) === name);
  const equal = compared.filter(({ faults, reasons }) => faults.length + reasons.length === 0);
  const isValid = ({ request }: Finding): boolean => request.title === "valid";
  return [
    `\`${name}\``,
    statuses(own.filter(isValid)),
    statuses(own.filter((finding) => !isValid(finding))),
    String(own.length),
    compared.length === 0 ? "" : `${equal.length} of ${compared.length}`,
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
