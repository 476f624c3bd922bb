/** What goes through a published port and from container to container, beside the host's own loopback in the same run. */
import { join } from "node:path";
import { output, until } from "../../tests/harness/process.ts";
import { atLeast, type Group } from "../metric.ts";
import type { Target } from "../target.ts";

const [server, client, web] = ["bench-iperf", "bench-iperf-client", "bench-web"];
/** iperf3's own port. */
const IPERF = 5201;
const SECONDS = "2";

interface Inspected {
  State: { Pid: number };
  NetworkSettings: { IPAddress: string; Ports: Record<string, { HostPort: string }[] | null> };
}

/** Ends the iperf3 servers of a daemon. */
const servers = new WeakMap<Target, AsyncDisposableStack>();

const bytes: Group = {
  name: "throughput",
  metrics: [
    { name: "net_loopback", unit: "Gbit/s", better: "higher" },
    { name: "net_host_to_port", unit: "Gbit/s", better: "higher" },
    { name: "net_host_to_port_of_loopback", unit: "%", better: "higher", bar: { of: "berth", least: 75 } },
    { name: "net_host_to_port_of_address", unit: "%", better: "higher", bar: { of: "berth", least: 95 } },
    { name: "net_c2c", unit: "Gbit/s", better: "higher", bar: atLeast(1) },
  ],
  runs: 5,
  needsProgram: "iperf3",
  setup: async (target) => {
    const publish = published(`${IPERF}/tcp`);
    await target.start(await target.create(["sleep", "3600"], publish, server));
    await target.start(await target.create(["sleep", "3600"], {}, client));
    const undo = new AsyncDisposableStack();
    servers.set(target, undo);
    for (const pid of [target.pid, (await inspect(target, server)).State.Pid]) undo.use(await serve(pid));
  },
  run: async (target) => {
    const { NetworkSettings } = await inspect(target, server);
    const { IPAddress, Ports } = NetworkSettings;
    const port = Number(Ports[`${IPERF}/tcp`]?.[0]?.HostPort);
    const loopback = await rate(target.pid, "127.0.0.1", IPERF);
    const published = await rate(target.pid, "127.0.0.1", port);
    const address = await rate(target.pid, IPAddress, IPERF);
    return {
      net_loopback: loopback,
      net_host_to_port: published,
      net_host_to_port_of_loopback: (100 * published) / loopback,
      net_host_to_port_of_address: (100 * published) / address,
      net_c2c: await rate((await inspect(target, client)).State.Pid, IPAddress, IPERF),
    };
  },
  teardown: async (target) => {
    await servers.get(target)?.disposeAsync();
    await target.discardMany([server, client]);
  },
};

const connections: Group = {
  name: "http",
  metrics: [{ name: "http_conn_per_s", unit: "1/s", better: "higher", bar: atLeast(2) }],
  runs: 5,
  warmup: 1,
  setup: async (target) => {
    const script = "mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www";
    await target.start(await target.create(["sh", "-c", script], published("80/tcp"), web));
  },
  run: async (target) => {
    const { Ports } = (await inspect(target, web)).NetworkSettings;
    const load = [process.execPath, join(import.meta.dir, "../http-load.ts"), Ports["80/tcp"]?.[0]?.HostPort ?? ""];
    return { http_conn_per_s: Number(await output(inNetworkOf(target.pid, load))) };
  },
  teardown: async (target) => await target.discard(web),
};

/** On 127.0.0.1 alone, where Docker's own program carries what comes. */
function published(port: string): object {
  return {
    ExposedPorts: { [port]: {} },
    HostConfig: { PortBindings: { [port]: [{ HostIp: "127.0.0.1", HostPort: "" }] } },
  };
}

async function inspect(target: Target, name: string): Promise<Inspected> {
  return await target.wire.json<Inspected>("GET", `/containers/${name}/json`);
}

function inNetworkOf(pid: number, command: readonly string[]): string[] {
  return ["nsenter", `--net=/proc/${pid}/ns/net`, ...command];
}

/** An iperf3 server in the network of a process, once it takes connections. */
async function serve(pid: number): Promise<AsyncDisposable> {
  const child = Bun.spawn(inNetworkOf(pid, ["iperf3", "-s", "-p", String(IPERF), "--forceflush"]), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  await until("iperf3 listens", async () => {
    const { value, done } = await reader.read();
    if (done) throw new Error(`iperf3 ended: ${text}`);
    text += decoder.decode(value, { stream: true });
    return text.includes("listening");
  });
  // What it goes on saying has to go somewhere.
  const drained = (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      await drained;
    },
  };
}

/** Gbit/s that arrived. */
async function rate(from: number, host: string, port: number): Promise<number> {
  const command = ["iperf3", "-c", host, "-p", String(port), "-t", SECONDS, "-J"];
  const result = JSON.parse(await output(inNetworkOf(from, command))) as {
    end: { sum_received: { bits_per_second: number } };
  };
  return result.end.sum_received.bits_per_second / 1e9;
}

export const throughputGroups: readonly Group[] = [bytes, connections];
