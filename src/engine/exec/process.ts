/** The OCI process of an exec: the container's own, changed by what the client asked for. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecConfig } from "#api/types/exec.ts";
import type { Container } from "#engine/container/container.ts";
import type { EngineContext } from "#engine/container/context.ts";
import { assertMapped, runningMap } from "#engine/container/users.ts";
import { execEnvironment, presentEnvironment } from "#engine/spec/environment.ts";
import type { ProcessSpec, RuntimeSpec } from "#engine/spec/types.ts";
import { resolveUser } from "#engine/spec/user.ts";
import { EngineError } from "#lib/errors.ts";

/** Reads the bundle of the running container. Throws "invalid" for an unknown user or a relative folder. */
export function execProcess(context: EngineContext, container: Container, config: ExecConfig): ProcessSpec {
  const { layout, host } = context;
  const bundle = JSON.parse(readFileSync(join(layout.bundle(container.id), "config.json"), "utf8")) as RuntimeSpec;
  const { config: present, unsetEnv } = container.record;
  const base = { ...bundle.process, env: presentEnvironment(bundle.process.env, present, unsetEnv) };
  const asked = config.User || container.record.config.User;
  const user = resolveUser(layout.rootfs(container.id), asked, container.record.hostConfig.GroupAdd ?? []);
  assertMapped(runningMap(container), user);
  const cwd = config.WorkingDir || base.cwd;
  if (!cwd.startsWith("/"))
    throw new EngineError("invalid", `the working directory '${cwd}' is invalid, it needs to be an absolute path`);
  const all = [...host.capabilities];
  const granted = config.Privileged ? all : base.capabilities.bounding;
  const effective = user.uid === 0 || config.Privileged ? granted : [];
  const home = config.User === "" ? (environmentValue(base.env, "HOME") ?? user.home) : user.home;
  const inherited = config.User === "" ? base.env : base.env.filter((entry) => !entry.startsWith("HOME="));
  return {
    ...base,
    terminal: config.Tty,
    ...(config.Tty &&
      config.ConsoleSize && { consoleSize: { height: config.ConsoleSize[0], width: config.ConsoleSize[1] } }),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: config.Cmd,
    env: execEnvironment(inherited, config.Env ?? [], config.Tty, home),
    cwd,
    capabilities: { bounding: granted, effective, permitted: effective, inheritable: [], ambient: [] },
  };
}

function environmentValue(env: readonly string[], name: string): string | undefined {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}
