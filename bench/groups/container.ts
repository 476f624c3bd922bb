/** One short container or exec at a time: what a user waits for at the prompt, and its parts over the API. */
import { image } from "../image.ts";
import { atMost, type Group, type Metric, milliseconds, type Values } from "../metric.ts";
import type { Target } from "../target.ts";

const metric = (name: string, bar?: Metric["bar"]): Metric => ({
  name,
  unit: "ms",
  better: "lower",
  ...(bar === undefined ? {} : { bar }),
});

const short = { runs: 10, warmup: 1 } as const;

const runRm: Group = {
  name: "run_rm",
  metrics: [metric("run_rm", atMost(0.25))],
  ...short,
  needsDockerClient: true,
  run: async (target) => ({
    run_rm: await milliseconds(() => target.docker(["run", "--rm", "--name", target.name(), image, "true"])),
  }),
};

const runRmNetnone: Group = {
  name: "run_rm_netnone",
  metrics: [metric("run_rm_netnone", atMost(0.22))],
  ...short,
  needsDockerClient: true,
  run: async (target) => ({
    run_rm_netnone: await milliseconds(() =>
      target.docker(["run", "--rm", "--network", "none", "--name", target.name(), image, "true"]),
    ),
  }),
};

const berthRunRm: Group = {
  name: "berth_run_rm",
  metrics: [metric("berth_run_rm", atMost(0.2))],
  ...short,
  run: async (target) => {
    const client = target.ownClient;
    if (client === null) throw new Error("there is no docker client");
    const words = ["run", "--rm", "--name", target.name(), image, "true"];
    return { berth_run_rm: await milliseconds(() => target.command(client, words)) };
  },
};

const api: Group = {
  name: "api",
  metrics: [metric("api_create"), metric("api_start"), metric("api_start_to_exit", atMost(0.15))],
  ...short,
  run: async (target) => ({ ...(await createAndStart(target)), ...(await startToExit(target)) }),
};

async function createAndStart(target: Target): Promise<Values> {
  const name = target.name();
  try {
    const api_create = await milliseconds(() => target.create(["true"], {}, name));
    const api_start = await milliseconds(() => target.start(name));
    const code = await target.wait(name);
    if (code !== 0) throw new Error(`the container ended with code ${code}`);
    return { api_create, api_start };
  } finally {
    await target.discard(name);
  }
}

/** The wait is open before the start, as `docker run` has it. */
async function startToExit(target: Target): Promise<Values> {
  const id = await target.create(["true"]);
  try {
    const ended = target.wait(id, "next-exit");
    // Docker says nothing when a wait is registered; a start that comes too early would be missed.
    await Bun.sleep(20);
    const api_start_to_exit = await milliseconds(() => Promise.all([target.start(id), ended]));
    return { api_start_to_exit };
  } finally {
    await target.discard(id);
  }
}

const firstByte: Group = {
  name: "first_byte",
  metrics: [metric("first_byte", atMost(0.15))],
  ...short,
  run: async (target) => {
    const id = await target.create(["echo", "hello"], { AttachStdout: true });
    try {
      using stream = await target.attach(id);
      const first_byte = await milliseconds(() => Promise.all([target.start(id), stream.until("hello")]));
      await target.wait(id);
      return { first_byte };
    } finally {
      await target.discard(id);
    }
  },
};

const execBox = "bench-exec";

const execApi: Group = {
  name: "exec_api",
  metrics: [metric("exec_api", atMost(0.4))],
  ...short,
  setup: startExecBox,
  run: async (target) => {
    const exec_api = await milliseconds(async () => {
      const { Id } = await target.wire.json<{ Id: string }>("POST", `/containers/${execBox}/exec`, {
        AttachStdout: true,
        AttachStderr: true,
        Cmd: ["echo", "x"],
      });
      using stream = await target.wire.hijack(`/exec/${Id}/start`, { Detach: false, Tty: false });
      const output = await stream.all();
      const { ExitCode } = await target.wire.json<{ ExitCode: number | null }>("GET", `/exec/${Id}/json`);
      if (ExitCode !== 0 || !output.includes("x\n"))
        throw new Error(`the exec ended with code ${ExitCode}: ${output.toString()}`);
    });
    return { exec_api };
  },
  teardown: (target) => target.discard(execBox),
};

const execCli: Group = {
  name: "exec_cli",
  metrics: [metric("exec_cli", atMost(0.6))],
  ...short,
  needsDockerClient: true,
  setup: startExecBox,
  run: async (target) => ({ exec_cli: await milliseconds(() => target.docker(["exec", execBox, "true"])) }),
  teardown: (target) => target.discard(execBox),
};

async function startExecBox(target: Target): Promise<void> {
  await target.start(await target.create(["sleep", "3600"], {}, execBox));
}

export const containerGroups: readonly Group[] = [runRm, berthRunRm, runRmNetnone, api, firstByte, execApi, execCli];
