/** Runs one shell script as root of a tree, in a container of its own: how a distribution's packages configure themselves. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containerCreateSchema } from "#api/schemas/container.ts";
import type { MonitorPrograms } from "#engine/runtime/conmon.ts";
import { OciRuntime } from "#engine/runtime/oci-runtime.ts";
import { buildSpec } from "#engine/spec/build.ts";
import type { HostFacts } from "#engine/spec/host.ts";
import { specJson } from "#engine/spec/json.ts";
import { validateContainer } from "#engine/spec/validate.ts";
import { EngineError } from "#lib/errors.ts";
import type { Layout } from "#store/layout.ts";

export interface SandboxHost {
  readonly programs: MonitorPrograms;
  readonly layout: Layout;
  readonly facts: HostFacts;
}

export interface Script {
  readonly rootfs: string;
  /** For /bin/sh. */
  readonly text: string;
  readonly environment: readonly string[];
  /** Host folder that is seen, read-only, at `destination`. */
  readonly mount: { readonly source: string; readonly destination: string };
}

/** Lines of output that a failure is told with. */
const tail = 20;

/**
 * Default capabilities and system call filter, no network. The script ends with this process, or when `signal` is
 * aborted. Rejects "internal" with the end of its output where it fails; nothing but what it did to the tree remains.
 */
export async function runInTree(
  host: SandboxHost,
  script: Script,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { layout, facts, programs } = host;
  const id = `bootstrap-${crypto.randomUUID()}`;
  const runtime = new OciRuntime(
    () => programs,
    (id) => layout.runtimeState(id),
  );
  const bundle = layout.bundle(id);
  mkdirSync(bundle, { recursive: true, mode: 0o710 });
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(bundle, { recursive: true, force: true }));
  writeFileSync(join(bundle, "config.json"), describe(id, script, facts), { mode: 0o600 });
  undo.defer(() => runtime.delete(id));
  signal.throwIfAborted();
  const child = Bun.spawn([programs.runtime, ...programs.runtimeOptions, "run", "--bundle", bundle, id], {
    // The script notices by the end of its input that nobody is there any more.
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stop = () => void child.stdin.end();
  signal.addEventListener("abort", stop, { once: true });
  undo.defer(() => signal.removeEventListener("abort", stop));
  const lines: string[] = [];
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const line of linesOf(stream)) {
      lines.push(line);
      if (lines.length > tail) lines.shift();
      onLine(line);
    }
  };
  const [code] = await Promise.all([child.exited, collect(child.stdout), collect(child.stderr)]);
  signal.throwIfAborted();
  if (code !== 0) {
    throw new EngineError("internal", `cannot configure the packages (exit code ${code}): ${lines.join("\n")}`);
  }
}

/** Put before a script: ends it when its input ends. */
const watch = `exec 3<&0 </dev/null
(read -r _ <&3; kill -9 -1) &
exec 3<&-
`;

function describe(id: string, { rootfs, text, environment, mount }: Script, facts: HostFacts): string {
  const { Config, HostConfig } = containerCreateSchema.parse({
    Hostname: "localhost",
    Cmd: ["/bin/sh", "-c", watch + text],
    Env: [...environment],
    HostConfig: { NetworkMode: "none" },
  });
  validateContainer(Config, HostConfig, facts);
  const { spec } = buildSpec(
    {
      id,
      config: Config,
      hostConfig: HostConfig,
      rootfs,
      user: { uid: 0, gid: 0, additionalGids: [], home: "/root", username: "root" },
      mounts: [],
      files: {},
      namespaces: { network: "new" },
    },
    facts,
  );
  spec.mounts.push({ ...mount, type: "bind", options: ["bind", "ro"] });
  return specJson(spec);
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
