import { expect, test } from "bun:test";
import type { RunConfig } from "#oci/image-config.ts";
import { applyChanges } from "./changes.ts";

const config: RunConfig = { Env: ["A=1"], Cmd: ["sh", "-c", "echo hi"], WorkingDir: "/w" };

test.each<[string[], Partial<RunConfig>]>([
  [[], {}],
  [["CMD echo hi"], { Cmd: ["/bin/sh", "-c", "echo hi"] }],
  [["cmd lower"], { Cmd: ["/bin/sh", "-c", "lower"] }],
  // A command from before does not fit a new entrypoint; one that is given with it stays.
  [['ENTRYPOINT ["/bin/sh"]'], { Entrypoint: ["/bin/sh"], Cmd: [] }],
  [["CMD a", 'ENTRYPOINT ["x"]'], { Entrypoint: ["x"], Cmd: ["/bin/sh", "-c", "a"] }],
  [['ENTRYPOINT ["x"]', 'CMD ["b"]'], { Entrypoint: ["x"], Cmd: ["b"] }],
  [["# a comment", "USER app"], { User: "app" }],
  [["ENV B=2 \\\n C=3"], { Env: ["A=1", "B=2", "C=3"] }],
  [["WORKDIR rel"], { WorkingDir: "/w/rel" }],
  [["STOPSIGNAL SIGINT"], { StopSignal: "SIGINT" }],
  [["STOPSIGNAL 9"], { StopSignal: "9" }],
  [["HEALTHCHECK --interval=5s CMD true"], { Healthcheck: { Interval: 5e9, Test: ["CMD-SHELL", "true"] } }],
])("%p", (changes, expected) => {
  expect(applyChanges(config, changes)).toEqual({ ...config, ...expected });
});

test.each([
  [[""], "file with no instructions"],
  [["# c"], "file with no instructions"],
  [["RUN ls"], "RUN is not a valid change command"],
  [["shell x"], "shell is not a valid change command"],
  [["USER"], "USER requires exactly one argument"],
  [["VOLUME "], "VOLUME requires at least one argument"],
  [["STOPSIGNAL BAD"], "invalid signal: BAD"],
  [["EXPOSE bad"], "invalid containerPort: bad"],
  [["HEALTHCHECK --interval=5ns CMD true"], 'Interval "interval" cannot be less than 1ms'],
  [["ONBUILD ONBUILD RUN x"], "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
])("%p is refused", (changes, message) => {
  expect(() => applyChanges(config, changes)).toThrow(expect.objectContaining({ kind: "invalid", message }));
});
