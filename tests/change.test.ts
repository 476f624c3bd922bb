/** Networks, labels, environment, hosts and DNS of running containers, changed by the API and by the command line. */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { change, mountPoints, shell } from "./harness/change.ts";
import { startEngine } from "./harness/engine.ts";

test("labels and environment change, for what is executed from then on and for the next start", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { Env: ["OLD=1", "KEPT=2"], Labels: { old: "1", kept: "2" } });
  const env = async () => (await shell(box, "env")).split("\n").filter((line) => /^(OLD|KEPT|NEW|PATH)=/.test(line));
  const path = (await env()).find((line) => line.startsWith("PATH="));
  await change(engine, box, {
    Labels: { Add: { new: "3", kept: "4" }, Remove: ["old"] },
    Env: { Add: ["NEW=3", "KEPT=4"], Remove: ["OLD"] },
  });
  const look = async () => {
    expect((await env()).toSorted()).toEqual(["KEPT=4", "NEW=3", path ?? ""]);
    const { Config } = await box.inspect();
    expect(Config.Labels).toEqual({ new: "3", kept: "4" });
    expect(Config.Env).toEqual([path ?? "", "NEW=3", "KEPT=4"]);
  };
  await look();
  await engine.kill9();
  await engine.start();
  await look();
  await engine.wire.bytes("POST", `/containers/${box.id}/restart?t=0`);
  await look();
  await change(engine, box, { Env: { Add: ["OLD=5"], Remove: ["PATH"] } });
  expect((await env()).toSorted()).toEqual(["KEPT=4", "NEW=3", "OLD=5", path ?? ""]);
  await expect(change(engine, box, { Env: { Add: ["=x"] } })).rejects.toMatchObject({ status: 400 });
});

test("networks are joined and left, and the files of the container say so", async () => {
  await using engine = await startEngine();
  const network = async (Name: string) =>
    (await engine.wire.json<{ Id: string }>("POST", "/networks/create", { Name })).Id;
  const first = await network("first");
  await network("second");
  const box = await engine.run(["sleep", "600"], { Hostname: "changed" });
  const links = async () => (await shell(box, "ls /sys/class/net")).trim().split(/\s+/);
  const hosts = async () => (await shell(box, "cat /etc/hosts")).split("\n").filter((line) => line.endsWith("changed"));
  const addresses = async () =>
    Object.values((await box.inspect()).NetworkSettings.Networks).map(({ IPAddress }) => `${IPAddress}\tchanged`);
  await shell(box, "echo '10.0.0.1 mine' >>/etc/hosts");
  await change(engine, box, { Networks: { Add: { [first]: { Aliases: ["other"] }, second: null } } });
  expect(await links()).toEqual(["eth0", "eth1", "eth2", "lo"]);
  expect((await hosts()).toSorted()).toEqual((await addresses()).toSorted());
  expect((await box.inspect()).NetworkSettings.Networks["first"]?.Aliases).toEqual(["other"]);
  const { Containers } = await engine.wire.json<{ Containers: object }>("GET", "/networks/first");
  expect(Object.keys(Containers)).toEqual([box.id]);
  await engine.wire.bytes("POST", "/networks/prune");
  await expect(engine.wire.bytes("DELETE", "/networks/first")).rejects.toMatchObject({ status: 403 });
  await change(engine, box, { Networks: { Remove: ["second", "bridge"] } });
  expect(await links()).toEqual(["eth1", "lo"]);
  expect(await hosts()).toEqual(await addresses());
  expect(await shell(box, "grep mine /etc/hosts")).toBe("10.0.0.1 mine\n");
  const { HostConfig, NetworkSettings } = await box.inspect();
  expect(HostConfig.NetworkMode).toBe("bridge");
  expect(Object.keys(NetworkSettings.Networks)).toEqual(["first"]);
  await engine.wire.bytes("DELETE", "/networks/second");
  await expect(change(engine, box, { Networks: { Add: { first: null } } })).rejects.toMatchObject({ status: 403 });
  await expect(change(engine, box, { Networks: { Remove: ["bridge"] } })).rejects.toMatchObject({ status: 409 });
  await expect(change(engine, box, { Networks: { Add: { nosuch: null } } })).rejects.toMatchObject({ status: 404 });
});

test("hosts and nameservers change in the files that the container has", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { HostConfig: { ExtraHosts: ["a:10.0.0.1"], Dns: ["10.0.0.53"] } });
  await change(engine, box, {
    ExtraHosts: { Add: ["b:10.0.0.2"], Remove: ["a"] },
    Dns: { Add: ["10.0.0.54"], Remove: ["10.0.0.53"] },
    DnsSearch: { Add: ["example.org"] },
  });
  expect(await shell(box, "grep ^10.0.0 /etc/hosts")).toBe("10.0.0.2\tb\n");
  expect(await shell(box, "grep -v ^options /etc/resolv.conf")).toBe("nameserver 10.0.0.54\nsearch example.org\n");
  expect((await box.inspect()).HostConfig).toMatchObject({ ExtraHosts: ["b:10.0.0.2"], Dns: ["10.0.0.54"] });
});

test("what is fixed is refused, and so is what nobody knows", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"]);
  const update = (changes: object) =>
    engine.wire.json("POST", `/containers/${box.id}/update`, { Changes: changes, PidsLimit: 30 });
  await expect(update({ Hostname: "x" })).rejects.toMatchObject({
    status: 400,
    message: "cannot change Hostname of a container: recreate the container with the new value",
  });
  await expect(update({ Mounts: { Drop: [] } })).rejects.toMatchObject({
    status: 400,
    message: 'unknown field "Drop" in Changes.Mounts',
  });
  expect((await box.inspect()).HostConfig.PidsLimit).toBe(null);
});

test("the command line changes what runs", async () => {
  await using engine = await startEngine();
  const folder = `${engine.execRoot}/shown`;
  mkdirSync(folder);
  writeFileSync(`${folder}/file`, "shown\n");
  await engine.wire.json("POST", "/networks/create", { Name: "side" });
  const box = await engine.run(["sleep", "600"], { name: "web" });
  const update = (...words: string[]) => engine.berth(["update", ...words, "web"]);
  const done = { code: 0, stdout: "web\n", stderr: "" };
  const given = [
    ["--publish-add", "127.0.0.1:18473:80"],
    ["--mount-add", `type=bind,src=${folder},dst=/bound,ro`],
    ["--volume-add", "cli:/data"],
    ["--network-add", "name=side,alias=other"],
    ["--label-add", "a=b"],
    ["--env-add", "A=b"],
    ["--host-add", "peer:10.0.0.7"],
    ["--pids-limit", "77"],
  ].flat();
  expect(await update(...given)).toEqual(done);
  expect(await shell(box, "cat /bound/file; echo $A; grep peer /etc/hosts")).toBe("shown\nb\n10.0.0.7\tpeer\n");
  expect(await mountPoints(box)).toEqual(["/bound", "/data"]);
  const { NetworkSettings, HostConfig, Config } = await box.inspect();
  expect(NetworkSettings.Ports).toEqual({ "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "18473" }] });
  expect(Object.keys(NetworkSettings.Networks).toSorted()).toEqual(["bridge", "side"]);
  expect([HostConfig.PidsLimit, Config.Labels]).toEqual([77, { a: "b" }]);
  const taken = ["--publish-rm", "18473", "--mount-rm", "/bound", "--mount-rm", "/data", "--network-rm", "side"];
  expect(await update(...taken, "--label-rm", "a", "--env-rm", "A", "--host-rm", "peer")).toEqual(done);
  expect(await mountPoints(box)).toEqual([]);
  expect((await box.inspect()).NetworkSettings.Ports).toEqual({});
  expect(await update("--mount-rm", "/bound")).toMatchObject({
    code: 1,
    stderr: `Error response from daemon: Cannot update container ${box.id}: the container has no mount at /bound\n`,
  });
  expect(await update("--publish-rm", "x")).toMatchObject({ code: 125 });
});
