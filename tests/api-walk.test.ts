/** The walk through the API's reference (`bun run api-walk`), without Docker beside it. */
import { expect, test } from "bun:test";
import { WalkedDaemon } from "../scripts/api-walk/daemon.ts";
import { extraRequests } from "../scripts/api-walk/extras.ts";
import { nameOf } from "../scripts/api-walk/reference.ts";
import { allRequests } from "../scripts/api-walk/requests.ts";
import { walk } from "../scripts/api-walk/walk.ts";
import { startEngine } from "./harness/engine.ts";

test("every endpoint takes valid and invalid input as the reference says", async () => {
  await using engine = await startEngine({ image: false });
  const daemon = new WalkedDaemon(engine.socket);
  await daemon.prepare();
  const findings = await walk([...allRequests(), ...extraRequests()], daemon);
  expect(findings.length).toBeGreaterThan(1000);
  const faults = findings.flatMap(({ request, faults }) =>
    faults.map((fault) => `${nameOf(request.endpoint)} | ${request.title} | ${fault}`),
  );
  expect(faults).toEqual([]);
}, 120_000);
