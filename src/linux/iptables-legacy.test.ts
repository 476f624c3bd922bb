import { expect, test } from "bun:test";
import { legacyForward } from "./iptables-legacy.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "./namespace-testing.ts";

const program = "iptables-legacy";
const works = Bun.which(program) !== null && Bun.spawnSync(["unshare", "--net", program, "-S"]).exitCode === 0;
const why = works ? "" : " (skipped: this machine or its kernel has no legacy iptables)";

function iptables(...words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync([program, ...words]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

if (inPrivateNetwork()) {
  test("tells the policy and the interfaces of the legacy filter table", () => {
    iptables("-N", "own");
    expect(legacyForward()).toEqual({ drops: false, devices: new Set() });
    iptables("-P", "FORWARD", "DROP");
    iptables("-A", "own", "-p", "tcp", "--dport", "80", "-m", "comment", "--comment", "x", "-j", "ACCEPT");
    iptables("-I", "FORWARD", "-i", "some0", "-j", "ACCEPT");
    iptables("-I", "INPUT", "-i", "other0", "-j", "own");
    expect(legacyForward()).toEqual({ drops: true, devices: new Set(["some0", "other0"]) });
  });
} else {
  test.skipIf(!works)(`legacy iptables with a real kernel${why}`, () => rerunInPrivateNetwork(import.meta.path));
}
