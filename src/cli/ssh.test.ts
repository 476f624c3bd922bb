import { expect, test } from "bun:test";
import { sshCommand } from "./ssh.ts";

const common = ["-o", "ConnectTimeout=30", "-T", "--"];

test.each<[string, string[]]>([
  ["ssh://host", ["ssh", ...common, "host", "berth system dial-stdio"]],
  ["ssh://me@host:22", ["ssh", "-l", "me", "-p", "22", ...common, "host", "berth system dial-stdio"]],
  ["ssh://host/run/x/b.sock", ["ssh", ...common, "host", "berth -H unix://'/run/x/b.sock' system dial-stdio"]],
  ["ssh://host/a'b", ["ssh", ...common, "host", `berth -H unix://'/a'\\''b' system dial-stdio`]],
  ["ssh://[::1]", ["ssh", ...common, "::1", "berth system dial-stdio"]],
])("%s is reached by the right words", (host, words) => {
  expect(sshCommand(host)).toEqual(words);
});

test.each([
  ["ssh://", "no host specified"],
  ["ssh://a b", "unable to parse berth host"],
  ["ssh://me:secret@host", "plain-text password is not supported"],
  ["ssh://host?x=y", 'extra query after the host: "x=y"'],
])("%s is refused", (host, message) => {
  expect(() => sshCommand(host)).toThrow(message);
});
