/** 500 connects and disconnects at a time leave exactly what should be there. */
import { expect, test } from "bun:test";
import { startEngine } from "./harness/engine.ts";
import { bridgePorts, seenState, sorted, toldMembers, toldState } from "./harness/network-state.ts";

const BOXES = 20;
const NETWORKS = 15;
/** Of the networks, those that are left again. */
const LEFT = 10;

test("300 connects at a time, then 200 disconnects", async () => {
  await using engine = await startEngine();
  const names = Array.from({ length: NETWORKS }, (_, i) => `net${String(i).padStart(2, "0")}`);
  for (const Name of names) await engine.wire.json("POST", "/networks/create", { Name });
  const boxes = await Promise.all(Array.from({ length: BOXES }, () => engine.run(["sleep", "600"])));
  const all = (verb: "connect" | "disconnect", networks: readonly string[]) =>
    Promise.all(
      networks.flatMap((network) =>
        boxes.map(({ id }) => engine.wire.bytes("POST", `/networks/${network}/${verb}`, { body: { Container: id } })),
      ),
    );
  const check = async (joined: readonly string[]) => {
    const ids = boxes.map(({ id }) => id).toSorted();
    const members = Object.fromEntries(names.map((name) => [name, joined.includes(name) ? ids : []]));
    expect(await toldMembers(engine)).toEqual({ ...members, bridge: ids, host: [], none: [] });
    const addresses: string[] = [];
    for (const box of boxes) {
      const told = sorted(await toldState(box));
      expect(sorted(await seenState(box))).toEqual(told);
      expect(told.addresses).toHaveLength(joined.length + 1);
      addresses.push(...told.addresses);
    }
    expect(new Set(addresses).size).toBe(addresses.length);
    const counts = Object.entries(bridgePorts(engine)).filter(([device]) => device !== engine.bridge);
    expect(counts.map(([, count]) => count).toSorted((a, b) => b - a)).toEqual(
      names.map((_, i) => (i < joined.length ? BOXES : 0)),
    );
  };
  await all("connect", names);
  await check(names);
  await all("disconnect", names.slice(0, LEFT));
  await check(names.slice(LEFT));
});
