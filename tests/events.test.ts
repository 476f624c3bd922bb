/** Events: what Docker announces for each action, in its order, with its attributes; kept for later questions. */
import { expect, test } from "bun:test";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";

/** One event a line: type, action, attributes; ids are told by their kind. */
async function told(engine: Engine, since: number, filters: Record<string, string[]> = {}): Promise<string[]> {
  const until = (Date.now() + 1) / 1000;
  const query = `since=${since}&until=${until}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const text = new TextDecoder().decode(await engine.wire.bytes("GET", `/events?${query}`));
  return text.split("\n").flatMap((line) => {
    if (line === "") return [];
    const { Type, Action, Actor } = JSON.parse(line) as {
      Type: string;
      Action: string;
      Actor: { Attributes: Record<string, string> };
    };
    const attributes = Object.entries(Actor.Attributes)
      .map(([name, value]) => `${name}=${value.replace(/^(sha256:)?[0-9a-f]{64}$/, "ID")}`)
      .toSorted();
    return [[Type, Action, ...attributes].join(" | ")];
  });
}

test("a container's life is told as Docker tells it", async () => {
  await using engine = await startEngine();
  const since = Date.now() / 1000;
  const box = await engine.run(["sleep", "600"], {
    name: "web",
    Labels: { tier: "front" },
    HostConfig: { Binds: ["data:/data:ro"] },
  });
  await box.exec(["true"]);
  await engine.wire.bytes("POST", `/commit?container=web&repo=made&comment=hi`);
  await box.kill();
  await box.remove();
  await engine.wire.bytes("DELETE", "/volumes/data");
  await engine.wire.bytes("POST", "/networks/prune");
  const web = `image=${testImage} | name=web | tier=front`;
  const execs = `execID=ID | ${web}`;
  expect(await told(engine, since)).toEqual([
    "volume | create | driver=local",
    `container | create | ${web}`,
    "network | connect | container=ID | name=bridge | type=bridge",
    "volume | mount | container=ID | destination=/data | driver=local | propagation= | read/write=false",
    `container | start | ${web}`,
    `container | exec_create: true  | ${execs}`,
    `container | exec_start: true  | ${execs}`,
    `container | exec_die | execID=ID | exitCode=0 | ${web}`,
    `container | pause | ${web}`,
    `container | unpause | ${web}`,
    "image | create | name=ID | tier=front",
    "image | tag | name=made:latest | tier=front",
    `container | commit | comment=hi | image=${testImage} | imageID=ID | imageRef=made:latest | name=web | tier=front`,
    `container | kill | image=${testImage} | name=web | signal=9 | tier=front`,
    "network | disconnect | container=ID | name=bridge | type=bridge",
    "volume | unmount | container=ID | driver=local",
    expect.stringMatching(/^container \| die \| execDuration=\d+ \| exitCode=137 \| image=/) as unknown as string,
    `container | destroy | ${web}`,
    "volume | destroy | driver=local",
    "network | prune | reclaimed=0",
  ]);
});

test("events outlive the daemon, and their times are exact", async () => {
  await using engine = await startEngine();
  const since = Date.now() / 1000;
  await engine.create(["true"], { name: "kept" });
  const before = await told(engine, since, { container: ["kept"] });
  await engine.kill9();
  await engine.start();
  expect(await told(engine, since, { container: ["kept"] })).toEqual(before);
  const events = (format: string) => {
    const until = String((Date.now() + 1) / 1000);
    const filter = "container=kept";
    return engine.berth(["events", "--since", String(since), "--until", until, "-f", filter, "--format", format]);
  };
  const { stdout } = await events("{{.Time}} {{.TimeNano}} {{.Action}} {{.Actor.Attributes.name}}");
  const [seconds = "", nanoseconds = "", ...rest] = stdout.trim().split(" ");
  expect(rest).toEqual(["create", "kept"]);
  expect(nanoseconds).toMatch(new RegExp(`^${seconds}\\d{9}$`));
  expect((await events("json")).stdout).toContain(`"timeNano":${nanoseconds}}`);
});

test("a reader that comes late to a stream gets what came, and `until` ends it", async () => {
  await using engine = await startEngine();
  const until = Date.now() / 1000 + 2;
  const response = await engine.wire.send("GET", `/events?until=${until}&filters={"container":["late"]}`);
  await engine.create(["true"], { name: "late" });
  const text = await response.text();
  expect(text.match(/"Action":"create"/g)).toHaveLength(1);
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(until);
});
