import { expect, test } from "bun:test";
import { translateRuntimeError } from "./runtime-error.ts";

const CASES: [stderr: string, args0: string, exitCode: number, words: string][] = [
  [
    "executable file `nope` not found in $PATH: No such file or directory\n",
    "nope",
    127,
    'exec: "nope": executable file not found in $PATH',
  ],
  [
    "executable file `/bin/nope` not found in $PATH: No such file or directory",
    "/bin/nope",
    127,
    "stat /bin/nope: no such file or directory",
  ],
  ["open executable: Permission denied", "/etc/noexec", 126, "permission denied"],
  ["open executable: Operation not permitted", "/etc", 126, "is a directory: permission denied"],
  ["open executable: Not a directory", "/etc/passwd/x", 126, "not a directory"],
  ["exec container process `/bin/garbage`: Exec format error", "/bin/garbage", 126, "exec format error"],
  [
    "exec container process (missing dynamic library?) `/bin/x`: No such file or directory",
    "/bin/x",
    127,
    "no such file or directory",
  ],
  ["error stat'ing file `/nonexist`: No such file or directory", "true", 128, "error stat'ing file `/nonexist`"],
  [
    "write file `/proc/thread-self/attr/exec`: No such file or directory",
    "true",
    128,
    "unable to apply apparmor profile: apparmor failed to apply profile: " +
      "write /proc/thread-self/attr/exec: no such file or directory",
  ],
  [
    "write to file `thread-self/attr/apparmor/exec`: No such file or directory",
    "true",
    128,
    "unable to apply apparmor profile: apparmor failed to apply profile: " +
      "write thread-self/attr/apparmor/exec: no such file or directory",
  ],
  [
    '{"level":"error","msg":"exec: \\"nope\\": executable file not found in $PATH"}',
    "nope",
    127,
    "executable file not found in $PATH",
  ],
];

test.each(CASES)("%s", (stderr, args0, exitCode, words) => {
  const failure = translateRuntimeError(stderr, args0);
  expect(failure.exitCode).toBe(exitCode);
  expect(failure.message).toContain(words);
  expect(failure.message).toStartWith("failed to create task for container: ");
});

test("an exec has its own words", () => {
  const { message } = translateRuntimeError("executable file `nope` not found in $PATH", "nope", "exec");
  expect(message).toBe(
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "nope": executable file not found in $PATH: unknown',
  );
});
