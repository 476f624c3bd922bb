import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { globalFlags } from "./globals.ts";
import { parseFlags } from "./flags.ts";
import { Session } from "./session.ts";

function session(words: string[], env: NodeJS.ProcessEnv): Session {
  return new Session(parseFlags(globalFlags, words, false).flags, env);
}

const fallback = "unix:///run/berth/berth.sock";

test.each<[string[], NodeJS.ProcessEnv, string]>([
  [[], {}, fallback],
  [[], { DOCKER_HOST: "unix:///d" }, "unix:///d"],
  [[], { BERTH_HOST: "unix:///b", DOCKER_HOST: "unix:///d" }, "unix:///b"],
  [["-H", "unix:///h"], { BERTH_HOST: "unix:///b" }, "unix:///h"],
  [["-c", "default"], { DOCKER_CONTEXT: "other" }, fallback],
  [["-c", "default"], { DOCKER_HOST: "unix:///d" }, "unix:///d"],
  [[], { DOCKER_CONTEXT: "default" }, fallback],
  [[], { DOCKER_CONTEXT: "other", DOCKER_HOST: "unix:///d" }, "unix:///d"],
])("%j with %j reaches %s", (words, env, host) => {
  expect(session(words, env).target.host).toBe(host);
});

test.each<[string[], NodeJS.ProcessEnv, string]>([
  [["-c", "other"], {}, 'context "other": context not found'],
  [[], { DOCKER_CONTEXT: "other" }, 'context "other": context not found'],
  [[], { BERTH_CONTEXT: "other", DOCKER_HOST: "unix:///d" }, 'context "other": context not found'],
  [["-c", "other", "-H", "unix:///h"], {}, "cannot specify both --host and --context"],
  [["-H", "unix:///a", "-H", "unix:///b"], {}, "Specify only one -H"],
  [["--tlsverify", "--tlscacert", "/nowhere/ca.pem"], {}, "could not read /nowhere/ca.pem"],
])("%j with %j is refused", (words, env, message) => {
  expect(() => session(words, env).target).toThrow(message);
});

test("settings that cannot be read are of no matter where flags say which daemon is meant", async () => {
  const folder = await mkdtemp("/tmp/berth-config-");
  try {
    await Bun.write(join(folder, "config.json"), "{");
    expect(session(["--config", folder, "-H", "unix:///h"], {}).target.host).toBe("unix:///h");
    expect(() => session(["--config", folder], {}).target).toThrow("cannot read");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("preferences come from the folder that the flag, BERTH_CONFIG or DOCKER_CONFIG names", async () => {
  const folder = await mkdtemp("/tmp/berth-config-");
  try {
    await Bun.write(join(folder, "config.json"), JSON.stringify({ psFormat: "{{.ID}}" }));
    expect(session(["--config", folder], {}).preferences.psFormat).toBe("{{.ID}}");
    expect(session([], { BERTH_CONFIG: folder }).preferences.psFormat).toBe("{{.ID}}");
    expect(session([], { DOCKER_CONFIG: folder }).preferences.psFormat).toBe("{{.ID}}");
    expect(session([], { HOME: folder }).preferences).toEqual({});
  } finally {
    await rm(folder, { recursive: true });
  }
});
