/** `berth system check`: whether this host can run the daemon, and what it lacks; needs neither daemon nor root. */
import { verb as define } from "../command.ts";
import { bool, string } from "../kinds.ts";
import type { Finding } from "./check/finding.ts";
import { HostFiles } from "./check/host.ts";
import { kernelFindings } from "./check/kernel.ts";
import { programFindings } from "./check/programs.ts";
import { storageFindings, userFindings } from "./check/storage.ts";

export const verb = define({
  use: "[OPTIONS]",
  details:
    "Check whether this host has what the daemon and containers need\n\n" +
    "Exits with 1 where something is missing that Berth cannot do without.",
  flags: {
    "data-root": string("Folder that the daemon would use", { initial: "/var/lib/berth", complete: "files" }),
    json: bool("Print the findings as JSON"),
  },
  args: { min: 0, max: 0 },
  async run(session, { flags }) {
    const host = new HostFiles();
    const findings = [
      ...userFindings(host, process.getuid?.() ?? -1),
      ...kernelFindings(host),
      ...(await programFindings(host, session.env["PATH"] ?? "")),
      ...storageFindings(host, flags["data-root"]),
    ];
    if (flags.json) session.out.line(JSON.stringify(findings, undefined, 4));
    else for (const finding of findings) session.out.write(line(finding));
    return findings.some(({ status }) => status === "fail") ? 1 : 0;
  },
});

function line({ name, status, found, remedy }: Finding): string {
  const head = `${status.padEnd(4)}  ${`${name}:`.padEnd(20)} ${found}\n`;
  return remedy === undefined ? head : `${head}${" ".repeat(27)}${remedy}\n`;
}
