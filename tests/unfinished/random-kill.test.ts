/** kill -9 at random moments of everything at once. BERTH_ROUNDS sets the number of rounds (200 for a full run). */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Engine, startEngine } from "../harness/engine.ts";
import { busyboxLayer, dockerArchive } from "../harness/image.ts";
import { LocalRegistry } from "../harness/registry.ts";
import { tar } from "../harness/tar.ts";

const rounds = Number(process.env["BERTH_ROUNDS"] ?? 20);

test(
  `${rounds} rounds of kill -9 during run, rm, load and pull leave nothing and keep the database whole`,
  async () => {
    await using engine = await startEngine();
    using registry = new LocalRegistry();
    const base = await busyboxLayer();
    registry.publish("pulled", "latest", [base, tar([{ name: "pulled", content: crypto.randomUUID() }])]);
    for (let round = 0; round < rounds; round++) {
      const work = keepBusy(engine, base, registry, round);
      await Bun.sleep(Math.random() * 400);
      await engine.kill9();
      // Whatever was under way fails with the connection; what counts is what the next daemon finds.
      await Promise.allSettled(work);
      await engine.start();
      for (const { Id, State } of await engine.list()) {
        if (round % 2 === 0 || State !== "running") await engine.remove(Id, { force: true, volumes: true });
      }
    }
    expect(await engine.leftovers()).toEqual([]);
    using database = new Database(join(engine.dataRoot, "berth.db"), { readonly: true });
    expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  },
  60_000 + rounds * 10_000,
);

function keepBusy(
  engine: Engine,
  base: Buffer<ArrayBuffer>,
  registry: LocalRegistry,
  round: number,
): Promise<unknown>[] {
  const archive = dockerArchive({
    tags: [`loaded:${round}`],
    layers: [base, tar([{ name: "round", content: crypto.randomUUID().repeat(1000) }])],
  });
  return [
    ...Array.from({ length: 4 }, async (_, index) => {
      const box = await engine.run(["sh", "-c", "echo x; sleep 0.1"], {
        Volumes: { "/scratch": {} },
        ExposedPorts: { "80/tcp": {} },
        HostConfig: {
          AutoRemove: index % 2 === 0,
          PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
        },
      });
      await box.wait();
      await box.remove({ force: true });
    }),
    engine.load(archive),
    engine.wire.bytes("POST", `/images/create?fromImage=${registry.host}/pulled&tag=latest`),
  ];
}
