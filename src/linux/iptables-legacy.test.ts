import { expect, test } from "bun:test";
import { legacyForward } from "./iptables-legacy.ts";
import { inPrivateNetwork, rerunInPrivateNetwork } from "./namespace-testing.ts";

const programs = { 4: "iptables-legacy", 6: "ip6tables-legacy" } as const;
const works = Object.values(programs).every(
  (program) => Bun.which(program) !== null && Bun.spawnSync(["unshare", "--net", program, "-S"]).exitCode === 0,
);
const why = works ? "" : " (skipped: this machine or its kernel has no legacy iptables)";

if (inPrivateNetwork()) {
  test.each([4, 6] as const)("tells the policy and the interfaces of the legacy filter table of IPv%d", (family) => {
    const iptables = (...words: string[]): void => {
      const { exitCode, stderr } = Bun.spawnSync([programs[family], ...words]);
      if (exitCode !== 0) throw new Error(stderr.toString());
    };
    iptables("-N", "own");
    expect(legacyForward(family)).toEqual({ drops: false, devices: new Set() });
    iptables("-P", "FORWARD", "DROP");
    iptables("-A", "own", "-p", "tcp", "--dport", "80", "-m", "comment", "--comment", "x", "-j", "ACCEPT");
    iptables("-I", "FORWARD", "-i", "some0", "-j", "ACCEPT");
    iptables("-I", "INPUT", "-i", "other0", "-j", "own");
    expect(legacyForward(family)).toEqual({ drops: true, devices: new Set(["some0", "other0"]) });
  });
} else {
  test.skipIf(!works)(`legacy iptables with a real kernel${why}`, () => rerunInPrivateNetwork(import.meta.path));
}
