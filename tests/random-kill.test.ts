/**
 * kill -9 of the daemon at random moments of everything at once. BERTH_KILL_ROUNDS sets the number of rounds (200 for a
 * full run), BERTH_KILL_SEED repeats the moments of an earlier run.
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { patience } from "#lib/testing.ts";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxLayer, dockerArchive } from "./harness/image.ts";
import { until } from "./harness/process.ts";
import { generator } from "./harness/random.ts";
import { LocalRegistry } from "./harness/registry.ts";
import { tar } from "./harness/tar.ts";

const rounds = Number(process.env["BERTH_KILL_ROUNDS"] ?? 25);
const custom = encodeURIComponent('{"type":["custom"]}');
const seed = Number(process.env["BERTH_KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

test(
  `${rounds} rounds of kill -9 during everything leave nothing behind and keep what was answered`,
  async () => {
    process.stdout.write(`BERTH_KILL_SEED=${seed}\n`);
    const random = generator(seed);
    await using engine = await startEngine();
    using registry = new LocalRegistry();
    const base = await busyboxLayer();
    for (let round = 0; round < rounds; round++) {
      const name = `pulled${round}`;
      registry.publish(name, "latest", [base, tar([{ name, content: crypto.randomUUID().repeat(2000) }])]);
      const answered = new Answered();
      const work = keepBusy(engine, base, registry, round, answered);
      await Bun.sleep(random() * 600 * patience);
      await engine.kill9();
      // Whatever was under way fails with the connection; what counts is what the next daemon finds.
      await work;
      await engine.start();
      await answered.check(engine);
      // It removes what no image names, and says how much that was: the start has done so already.
      const pruned = await engine.wire.json<{ SpaceReclaimed: number }>("POST", "/images/prune");
      expect(pruned.SpaceReclaimed).toBe(0);
      for (const { Id, State, HostConfig } of await engine.list()) {
        if (round % 2 === 0 || State !== "running" || HostConfig.NetworkMode?.startsWith("net"))
          await engine.remove(Id, { force: true, volumes: true });
      }
      for (const { Id } of await engine.wire.json<{ Id: string }[]>("GET", `/networks?filters=${custom}`)) {
        await engine.wire.bytes("DELETE", `/networks/${Id}`);
      }
      await until(
        `round ${round}: nothing is left but what runs: ${strays(engine, []).join(", ")}`,
        async () =>
          strays(
            engine,
            (await engine.list()).map(({ Id }) => Id),
          ).length === 0,
      );
    }
    expect(await engine.leftovers()).toEqual([]);
    using database = new Database(join(engine.dataRoot, "berth.db"), { readonly: true });
    expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  },
  (60_000 + rounds * 10_000) * patience,
);

/** What the daemon said is done, and did not say since that it is undone. */
class Answered {
  readonly #probes = new Map<string, string>();

  /** `path` answers 200 from now on. */
  add(what: string, path: string): void {
    this.#probes.set(what, path);
  }

  /** Called before a removal is asked for: from then on both may be. */
  forget(what: string): void {
    this.#probes.delete(what);
  }

  async check(engine: Engine): Promise<void> {
    const lost: string[] = [];
    for (const [what, path] of this.#probes) {
      const answer = await engine.wire.send("GET", path);
      await answer.bytes();
      if (answer.status !== 200) lost.push(`${what}: ${answer.status}`);
    }
    expect(lost).toEqual([]);
  }
}

/** Settles when all of it is over, one way or the other. */
async function keepBusy(
  engine: Engine,
  base: Buffer<ArrayBuffer>,
  registry: LocalRegistry,
  round: number,
  answered: Answered,
): Promise<void> {
  const archive = dockerArchive({
    tags: [`loaded:${round}`],
    layers: [base, tar([{ name: "round", content: crypto.randomUUID().repeat(1000) }])],
  });
  const runs = Array.from({ length: 4 }, async (_, index) => {
    const box = await engine.create(["sh", "-c", "echo x; sleep 0.1"], {
      Volumes: { "/scratch": {} },
      ExposedPorts: { "80/tcp": {} },
      HostConfig: {
        AutoRemove: index % 2 === 0,
        Binds: [`named${index}:/named`],
        PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
        ...(index === 3 && { RestartPolicy: { Name: "always", MaximumRetryCount: 0 } }),
      },
    });
    if (index % 2 === 1) answered.add(`container ${box.id}`, `/containers/${box.id}/json`);
    await box.start();
    if (index === 1) await box.exec(["sh", "-c", "echo from an exec >/named/file; sleep 0.05"]);
    if (index !== 3) await box.wait();
    answered.forget(`container ${box.id}`);
    await box.remove({ force: true, volumes: true });
  });
  const commit = async () => {
    const box = await engine.run(["sh", "-c", "echo new >/new; sleep 60"]);
    const query = `container=${box.id}&repo=committed&tag=${round}`;
    const { Id } = await engine.wire.json<{ Id: string }>("POST", `/commit?${query}`, {});
    answered.add("commit", `/images/${Id}/json`);
    await box.remove({ force: true });
  };
  const network = async () => {
    const name = `net${round}`;
    await engine.wire.json("POST", "/networks/create", { Name: name });
    answered.add("network", `/networks/${name}`);
    const box = await engine.run(["sleep", "60"], { HostConfig: { NetworkMode: name, AutoRemove: true } });
    await box.remove({ force: true });
    answered.forget("network");
    await engine.wire.bytes("DELETE", `/networks/${name}`);
  };
  const volume = async () => {
    const name = `vol${round}`;
    await engine.wire.json("POST", "/volumes/create", { Name: name });
    answered.add("volume", `/volumes/${name}`);
  };
  const load = async () => {
    await engine.load(archive);
    answered.add("load", `/images/loaded:${round}/json`);
  };
  const pull = async () => {
    const image = `${registry.host}/pulled${round}`;
    const text = await engine.wire.bytes("POST", `/images/create?fromImage=${image}&tag=latest`);
    if (new TextDecoder().decode(text).includes("Status: Downloaded")) answered.add("pull", `/images/${image}/json`);
  };
  await Promise.allSettled([...runs, commit(), network(), volume(), load(), pull()]);
}

/** Files, mounts and monitors of containers other than `present`. */
function strays(engine: Engine, present: readonly string[]): string[] {
  const found: string[] = [];
  const foreign = (text: string) => /[0-9a-f]{64}/.test(text) && !present.some((id) => text.includes(id));
  for (const folder of ["bundles", "runtime", "exits"]) {
    const path = join(engine.execRoot, folder);
    for (const name of existsSync(path) ? readdirSync(path) : []) if (foreign(name)) found.push(join(folder, name));
  }
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    if (line.includes(engine.execRoot) && foreign(line)) found.push(line);
  }
  for (const name of readdirSync(join(engine.dataRoot, "snapshots"))) if (foreign(name)) found.push(`snapshot ${name}`);
  for (const folder of ["ingest", "tmp"]) {
    for (const name of readdirSync(join(engine.dataRoot, folder))) found.push(join(folder, name));
  }
  return found;
}
