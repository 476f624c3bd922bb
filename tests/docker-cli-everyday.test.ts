/** What people type at the docker command line on any day, against Berth. */
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { testImage } from "./harness/image.ts";
import { until } from "./harness/process.ts";

const installed = Bun.which("docker") !== null;
const cli = test.skipIf(!installed);
const why = installed ? "" : " (skipped: no docker CLI on this machine)";

/** A shell that types at one daemon: stdout of a command that must succeed. */
function typist(engine: Engine) {
  return async (line: string, stdin?: string): Promise<string> => {
    const words = line.split(" ").map((word) => (word === "IMAGE" ? testImage : word.replaceAll("_", " ")));
    const { code, stdout, stderr } = await engine.docker(words, stdin === undefined ? {} : { stdin });
    if (code !== 0) throw new Error(`docker ${words.join(" ")}: exit code ${code}: ${stderr}`);
    return stdout;
  };
}

cli(`ps with filters and formats, logs with all their flags, restart, wait${why}`, async () => {
  await using engine = await startEngine();
  const docker = typist(engine);
  await docker(
    "run -d --name web --label tier=front -e GREETING=hi IMAGE sh -c echo_$GREETING;echo_oops_>&2;sleep_600",
  );
  await docker("run -d --name job --rm IMAGE sleep 600");
  await docker("create --name idle IMAGE true");
  expect(await docker("ps --format {{.Names}}")).toBe("job\nweb\n");
  expect(await docker("ps -a --filter status=created --format {{.Names}}\t{{.Status}}")).toBe("idle\tCreated\n");
  expect(await docker("ps -q --no-trunc --filter label=tier=front")).toMatch(/^[0-9a-f]{64}\n$/);
  expect(await docker("ps --filter name=web --format {{.Command}}|{{.State}}|{{.Mounts}}|{{.LocalVolumes}}")).toMatch(
    /^"sh -c 'echo \$GREETI…"\|running\|\|0\n$/,
  );
  await until("both lines are logged", async () => (await engine.docker(["logs", "web"])).stderr === "oops\n");
  expect((await engine.docker(["logs", "web"])).stdout).toBe("hi\n");
  expect(await docker("logs --tail 0 web")).toBe("");
  expect(await docker("logs -t web")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z hi\n$/);
  expect(await docker("logs --since 1h --until 2030-01-01T00:00:00 web")).toBe("hi\n");
  await docker("restart -t 0 web");
  await until("it logged again", async () => (await docker("logs web")) === "hi\nhi\n");
  await docker("kill job");
  await until("it is removed", async () => !(await docker("ps -a --format {{.Names}}")).includes("job"));
  const waiting = docker("wait web");
  await docker("stop -t 0 web");
  expect(await waiting).toBe("137\n");
  await docker("rm web idle");
});

cli(`exec with user, folder, variables and stdin; top, pause, rename, port, diff${why}`, async () => {
  await using engine = await startEngine();
  const docker = typist(engine);
  await docker("run -d --name box -p 127.0.0.1::80 IMAGE httpd -f -p 80 -h /var/www");
  expect(await docker("exec -u app -w /tmp -e X=1 box sh -c echo_$(id_-un)_$(pwd)_$X")).toBe("app /tmp 1\n");
  expect(await docker("exec -i box tr a-z A-Z", "shout")).toBe("SHOUT");
  expect((await engine.docker(["exec", "box", "sh", "-c", "exit 9"])).code).toBe(9);
  expect((await engine.docker(["exec", "box", "no-such-program"])).code).toBe(127);
  await docker("exec -d box touch /made");
  await until("the detached command ran", async () => (await docker("diff box")).includes("A /made\n"));
  expect(await docker("top box -o pid,args")).toContain("httpd -f -p 80");
  await docker("pause box");
  expect(await docker("ps --format {{.Status}}")).toMatch(/\(Paused\)\n$/);
  expect((await engine.docker(["exec", "box", "true"])).stderr).toContain(
    "is paused, unpause the container before exec",
  );
  await docker("unpause box");
  await docker("rename box server");
  const published = (await docker("port server 80")).trim();
  const answer = await fetch(`http://${published}/`, { headers: { Connection: "close" } });
  expect(await answer.text()).toBe("hello from the container\n");
  expect((await engine.docker(["rm", "server"])).stderr).toContain("container is running");
  await docker("rm -f server");
});

cli(`cp in and out: files, folders, archives and links${why}`, async () => {
  await using engine = await startEngine();
  const docker = typist(engine);
  const here = mkdtempSync("/var/tmp/bt-cp-");
  try {
    mkdirSync(join(here, "folder"));
    writeFileSync(join(here, "folder", "file"), "content\n", { mode: 0o640 });
    await docker("create --name box IMAGE sleep 600");
    await docker(`cp ${here}/folder box:/`);
    await docker(`cp ${here}/folder/file box:/tmp/renamed`);
    await docker("start box");
    expect(await docker("exec box cat /folder/file /tmp/renamed")).toBe("content\ncontent\n");
    await docker(`cp box:/tmp/renamed ${here}/back`);
    expect(readFileSync(join(here, "back"), "utf8")).toBe("content\n");
    await docker(`cp box:/folder/. ${here}/all`);
    expect(readFileSync(join(here, "all", "file"), "utf8")).toBe("content\n");
    await docker("exec box ln -s /tmp/renamed /link");
    await docker(`cp -L box:/link ${here}/followed`);
    expect(readFileSync(join(here, "followed"), "utf8")).toBe("content\n");
    const archive = await engine.docker(["cp", "box:/tmp/renamed", "-"]);
    expect(archive.stdout).toContain("content\n");
    expect((await engine.docker(["cp", "box:/nowhere", here])).stderr).toContain("Could not find the file /nowhere");
    await docker("rm -f box");
  } finally {
    rmSync(here, { recursive: true });
  }
});

cli(`inspect formats, stats, update, health, events${why}`, async () => {
  await using engine = await startEngine();
  const docker = typist(engine);
  const since = (Date.now() / 1000 - 1).toFixed(3);
  await docker("run -d --name box --memory 64m --cpus 0.5 --health-cmd true --health-interval 200ms IMAGE sleep 600");
  expect(await docker("inspect -f {{.HostConfig.Memory}}|{{.HostConfig.NanoCpus}}|{{.Config.Image}} box")).toBe(
    `67108864|500000000|${testImage}\n`,
  );
  const order = await docker("inspect -f {{json_.HostConfig}} box");
  expect(order).toStartWith('{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"json-file"');
  expect(
    await docker("inspect --type container -f {{range_.NetworkSettings.Networks}}{{.IPPrefixLen}}{{end}} box"),
  ).toBe("24\n");
  await until("it is healthy", async () => (await docker("inspect -f {{.State.Health.Status}} box")) === "healthy\n");
  expect(await docker("ps --format {{.Status}}")).toContain("(healthy)");
  const stats = JSON.parse(await docker("stats --no-stream --format json box")) as Record<string, string>;
  expect(stats).toMatchObject({ Name: "box", PIDs: "1", MemUsage: expect.stringMatching(/ \/ 64MiB$/) });
  expect(stats["CPUPerc"]).toMatch(/^\d+\.\d\d%$/);
  await docker("update --memory 96m --memory-swap 96m --restart on-failure:3 box");
  expect(await docker("inspect -f {{.HostConfig.Memory}}_{{.HostConfig.RestartPolicy}} box")).toBe(
    "100663296 {on-failure 3}\n",
  );
  await docker("rm -f box");
  const until_ = (Date.now() / 1000 + 0.001).toFixed(3);
  const events = await docker(`events --since ${since} --until ${until_} --filter type=container --format {{.Action}}`);
  const actions = events.split("\n");
  for (const action of ["create", "start", "health_status: healthy", "update", "kill", "die", "destroy"]) {
    expect(actions).toContain(action);
  }
});

cli(`networks and volumes joined at run; system df; prunes${why}`, async () => {
  await using engine = await startEngine();
  const docker = typist(engine);
  await docker("network create --subnet 10.231.77.0/24 lan");
  await docker("run -d --name one --network lan --ip 10.231.77.9 --network-alias first -v data:/data IMAGE sleep 600");
  await docker("run -d --name two IMAGE sleep 600");
  await docker("network connect lan two");
  expect(await docker("exec two ping -c 1 -W 5 10.231.77.9")).toContain("1 packets received");
  expect(await docker("network inspect -f {{len_.Containers}} lan")).toBe("2\n");
  await docker("network disconnect lan two");
  expect((await engine.docker(["network", "rm", "lan"])).stderr).toContain("has active endpoints");
  await docker("exec one sh -c echo_kept>/data/x");
  await docker("rm -f one");
  expect(await docker("run --rm -v data:/d:ro IMAGE cat /d/x")).toBe("kept\n");
  const df = await docker("system df --format {{.Type}}:{{.TotalCount}}:{{.Active}}");
  expect(df).toBe("Images:1:1\nContainers:1:1\nLocal Volumes:1:0\nBuild Cache:0:0\n");
  expect(await docker("system df -v")).toContain("berth-test");
  await docker("stop -t 0 two");
  expect(await docker("container prune -f")).toContain("Deleted Containers:");
  expect(await docker("network prune -f")).toContain("lan");
  expect(await docker("volume prune -af")).toContain("data");
  await docker("tag IMAGE other:1");
  await docker("rmi other:1");
  expect(await docker("system prune -af")).toContain("Total reclaimed space:");
  expect(await docker("images -q")).toBe("");
});

cli(`create and start -ai, run with a folder, stdin and an entrypoint, export and import${why}`, async () => {
  await using engine = await startEngine();
  const docker = typist(engine);
  const here = mkdtempSync("/var/tmp/bt-cli-");
  try {
    writeFileSync(join(here, "given"), "given\n");
    await docker("create -i --name filter IMAGE tr a-z A-Z");
    expect(await docker("start -ai filter", "typed")).toBe("TYPED");
    expect(
      await docker(`run --rm -v ${here}:/here -w /here --entrypoint cat --read-only --tmpfs /tmp IMAGE given`),
    ).toBe("given\n");
    expect(await docker("run --rm -u 1000:2000 --group-add 44 IMAGE id")).toBe(
      "uid=1000(app) gid=2000(staff) groups=44,2000(staff)\n",
    );
    expect(
      await docker(
        "run --rm --init --hostname named --add-host there:10.1.2.3 IMAGE sh -c hostname;grep_there_/etc/hosts",
      ),
    ).toBe("named\n10.1.2.3\tthere\n");
    const file = join(here, "root.tar");
    await docker(`export -o ${file} filter`);
    await docker(`import -c ENV_A=b ${file} flat:1`);
    expect(await docker("run --rm flat:1 sh -c echo_$A;cat_/data/seed")).toBe("b\nfrom the image\n");
    await docker("rm filter");
  } finally {
    rmSync(here, { recursive: true });
  }
});
