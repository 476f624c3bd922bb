/** The same command line typed to `docker` and to `berth`, against one daemon: text and exit codes must not differ. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { busyboxLayer, testImage } from "./harness/image.ts";
import type { Finished } from "./harness/process.ts";
import { LocalRegistry } from "./harness/registry.ts";
import { tar } from "./harness/tar.ts";

const installed = Bun.which("docker") !== null;
const why = installed ? "" : " (skipped: no docker CLI on this machine)";

let engine: Engine;

beforeAll(async () => {
  if (!installed) return;
  engine = await startEngine();
  const lines = String.raw`
    network create --label a=1 net1
    volume create --label kind=test vol1
    run -d --name web -p 80 -p 127.0.0.1::90/udp --label a=1 -v vol1:/v --network net1 IMAGE sh -c 'echo up; echo err >&2; sleep 600'
    run --name done IMAGE sh -c 'exit 3'
    create --name made IMAGE a-very-long-command with many words 'in it'
    run -d --name frozen IMAGE sleep 600
    pause frozen
  `;
  for (const line of lines.trim().split("\n")) await engine.berth(words(line));
  await Bun.write(join(engine.execRoot, "good.env"), "A=1\n# comment\n\nPATH\nNO_SUCH_VARIABLE\n  C= x \n");
  await Bun.write(join(engine.execRoot, "bad.env"), "A=1\n=x\n");
});

afterAll(async () => {
  if (!installed) return;
  await engine[Symbol.asyncDispose]();
});

/** Ours is called by another name; ids of what each of them made differ, and so do ages while time goes on. */
function plain({ code, stdout, stderr }: Finished): Finished {
  const text = (raw: string) =>
    raw
      // A slip in Docker's own text.
      .replaceAll("SRun 'docker", "Run 'docker")
      .replaceAll("docker", "berth")
      .replaceAll("Docker", "Berth")
      .replaceAll(/\b[0-9a-f]{64}\b/g, "<id>")
      .replaceAll(/\b(?:Less than a second|(?:\d+|About an?) (?:second|minute)s?)\b/g, "<age>")
      .replaceAll(/ {2,}/g, "  ");
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Command lines as a shell would take them: blanks part words, quotes keep them together. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) =>
    (quoted ?? bare ?? "").replaceAll("IMAGE", testImage).replaceAll("ROOT", engine.execRoot),
  );
}

function compare(name: string, lines: string): void {
  test.skipIf(!installed)(`${name}${why}`, async () => {
    const [theirs, ours]: [object[], object[]] = [[], []];
    for (const line of lines
      .trim()
      .split("\n")
      .map((text) => text.trim())) {
      theirs.push({ line, ...plain(await engine.docker(words(line))) });
      ours.push({ line, ...plain(await engine.berth(words(line))) });
    }
    expect(ours).toEqual(theirs);
  });
}

compare(
  "listing containers",
  String.raw`
  ps
  ps -a
  ps -aq
  ps -a --no-trunc
  ps -n 2
  ps -l
  ps -as
  container ls -a
  container ps
  ps -a --format json
  ps -a --format '{{json .Names}}'
  ps -a --format 'table {{.ID}}\t{{.Names}}\t{{.Ports}}\t{{.Label "a"}}\t{{.Mounts}}\t{{.LocalVolumes}}\t{{.State}}'
  ps -a --format '{{.Names}}\t{{.CreatedAt}}\t{{.RunningFor}}\t{{.Size}}\t{{.Networks}}\t{{.Platform}}'
  ps -a --format '{{truncate .ID 3}} {{pad .Names 1 1}} {{join (split .Names "d") "-"}} {{printf "%q %5s" .Names .State}}'
  ps -a --format '{{range $i, $e := split .Networks ","}}{{$i}}={{$e}}{{end}}{{println .Names}}'
  ps -a --format '{{with .Names}}<{{.}}>{{end}}{{if eq .State "running"}}R{{else}}N{{end}}'
  ps -a --format '{{len .Names}} {{lower .Names}} {{title .State}} {{upper .Names}}'
  ps --format '{{.Nope}}'
  ps --format '{{.ID'
  ps -q --format '{{.ID}}'
  ps -a --format raw
  ps -as --format raw
  ps -q --format raw
  ps -a -f status=exited
  ps -a -f exited=3 -q
  ps -a -f label=a=1 -f name=web
  ps -f status=nonsense
  ps -f nonsense=1
  ps -f nonsense
  ps extra
  ps -n
  ps -n abc
  ps --bogus
  ps -z
  `,
);

compare(
  "images",
  String.raw`
  images
  image ls
  images -q
  images --no-trunc
  images --digests
  images --format json
  images --format 'table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.CreatedAt}}\t{{.Size}}\t{{.Containers}}'
  images --format raw
  images --digests --format raw
  images -q --format raw
  images -q --format json
  images -q --format '{{.Tag}}'
  images nothere
  images -f dangling=true
  images -f nonsense=1
  history IMAGE
  history --no-trunc IMAGE
  history -q IMAGE
  history -H=false IMAGE
  history --format json IMAGE
  history nothere
  history
  image inspect IMAGE
  image inspect nothere
  tag IMAGE
  tag IMAGE BAD:UPPER
  tag nothere x:1
  rmi nothere
  rmi -f nothere
  rmi IMAGE
  save
  save nothere -o ROOT/nothere.tar
  save IMAGE -o ROOT/nosuchdir/x
  load -i /nosuch
  import /nosuch
  pull BAD
  pull
  `,
);

compare(
  "inspecting",
  String.raw`
  inspect web
  inspect web IMAGE
  inspect nothere
  inspect web nothere
  container inspect done
  container inspect nothere
  volume inspect vol1
  volume inspect nothere
  network inspect net1
  network inspect nothere
  inspect --type image web
  inspect -f '{{.State.Status}} {{.Name}} {{.RestartCount}}' web
  inspect -f '{{json .State}}' web
  inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}}{{println}}{{end}}' web
  inspect -f '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{$v.IPAddress}}{{end}}' web
  inspect -f '{{index .Config.Labels "a"}} {{len .Mounts}} {{printf "%s-%d" .Name .RestartCount}}' web
  inspect -f '{{.Config.Env}} {{.Config.Labels}} {{.HostConfig.PortBindings}}' web
  inspect -f '{{.Nope}}' web
  inspect -f '{{.State.Nope}}' web
  inspect -f '{{' web
  inspect -f '{{nofunc .}}' web
  inspect -s -f '{{.SizeRw}}' done
  port web 80/sctp
  port web abc
  port done
  port nothere
  `,
);

compare(
  "volumes, networks, the system",
  String.raw`
  volume ls
  volume ls -q
  volume ls --format json
  volume ls --format 'table {{.Name}}\t{{.Links}}\t{{.Size}}\t{{.Label "kind"}}'
  volume ls --format raw
  volume ls -q --format raw
  volume ls -q --format '{{.Driver}}'
  volume ls -f dangling=true
  volume ls -f bogus=1
  volume create a
  volume create x y
  volume create -d nosuch x1
  volume create -o bogus=1 x1
  volume create -o type=tmpfs x1
  volume create --type mount x1
  volume create --name x1 x2
  volume ls --cluster
  volume ls --cluster -q
  volume update vol1
  volume update nothere
  volume rm nothere
  volume rm vol1
  network ls
  network ls --format raw
  network ls -q --format raw
  network ls -q --format '{{.Driver}}'
  network ls --no-trunc
  network ls -q
  network ls --format json
  network ls --format 'table {{.ID}}\t{{.Name}}\t{{.CreatedAt}}\t{{.IPv6}}\t{{.IPv4}}\t{{.Internal}}\t{{.Labels}}'
  network ls -f driver=bridge -q
  network ls -f bogus=1
  network create net1
  network create --subnet 10.1.0.0/16 --subnet 10.1.2.0/24 net3
  network create --gateway 10.1.0.1 net3
  network create --subnet 10.1.0.0/16 --gateway 10.2.0.1 net3
  network create -d nosuch net2
  network rm nothere bridge
  network rm -f nothere
  network connect net1 nothere
  network disconnect net1 nothere
  system df
  tag IMAGE zz:second
  system df -v
  system df --format json
  system df --format 'table {{.Type}}\t{{.Reclaimable}}'
  events --since bogus
  events --format '{{.Nope}}'
  events --since 1h --until 1s -f container=done --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{.Status}}'
  version -f '{{.Server.APIVersion}}'
  info -f '{{.ServerVersion}} {{.Driver}}'
  `,
);

compare(
  "container verbs",
  String.raw`
  logs web
  logs --tail 1 web
  logs --details done
  logs nothere
  logs --since bogus web
  logs --tail abc web
  stop nothere
  stop
  stop -t abc web
  kill done
  kill nothere
  kill -s BOGUS web
  rm web
  rm nothere
  rm -f nothere
  start nothere
  start web nothere
  start -a done
  restart nothere
  wait done
  wait done nothere
  rename web done
  rename web
  rename nothere x
  pause frozen
  unpause web
  attach done
  attach nothere
  attach frozen
  exec done true
  exec nothere true
  exec frozen true
  exec web
  exec web sh -c 'echo out; echo err >&2; exit 5'
  exec web no-such-program
  exec web /etc
  exec -u nosuch web true
  exec -w / web pwd
  exec -w /nosuch web pwd
  exec -it web sh
  exec -e A=1 -e NO_SUCH_VARIABLE web env
  exec --env-file /nosuch web env
  exec -d web true
  commit nothere
  update web
  cp x y z
  cp x y
  export nothere -o ROOT/nosuchdir/x
  create
  create --name web IMAGE
  `,
);

compare(
  "run and its options",
  String.raw`
  run --rm IMAGE sh -c 'echo out; echo err >&2; exit 42'
  run --rm IMAGE no-such-program
  run --rm IMAGE /etc
  run --rm IMAGE /bin/not-executable
  run --rm --pull never nosuchimage:x true
  run --rm --pull bogus IMAGE true
  run
  run -d --rm -a stdout IMAGE true
  run --rm --restart always IMAGE true
  run -it --rm IMAGE sh
  run -t --rm IMAGE echo hi
  run -i --rm IMAGE cat
  run --rm -a stderr IMAGE sh -c 'echo out; echo err >&2'
  run --rm -a bogus IMAGE true
  run --rm -p 99999:80 IMAGE true
  run --rm -p abc IMAGE true
  run --rm -p 8000-8002:80-81 IMAGE true
  run --rm -v :/x IMAGE true
  run --rm -v /tmp:relative IMAGE true
  run --rm --mount type=bind,source=/nosuch2,target=/x IMAGE true
  run --rm --mount type=foo,target=/x IMAGE true
  run --rm --mount bogus IMAGE true
  run --rm --memory 1m IMAGE true
  run --rm --memory abc IMAGE true
  run --rm --cpus abc IMAGE true
  run --rm --ulimit nofile IMAGE true
  run --rm --ulimit nofile=5:2 IMAGE true
  run --rm --ulimit nofile=100:200 IMAGE sh -c 'ulimit -n'
  run --rm --sysctl bogus.x=1 IMAGE true
  run --rm --device /dev/null:/dev/xnull:rwz IMAGE true
  run --rm --device /dev/null:/dev/xnull IMAGE ls /dev/xnull
  run --rm --hostname h --env-file ROOT/good.env IMAGE env
  run --rm --env-file ROOT/bad.env IMAGE env
  run --rm --env-file /nosuch IMAGE env
  run --rm -e =x IMAGE true
  run --rm -l =x IMAGE true
  run --rm --network nosuch IMAGE true
  run --rm --network container:nosuch IMAGE true
  run --rm --add-host foo IMAGE true
  run --rm --add-host foo=bad IMAGE true
  run --rm --dns bogus IMAGE true
  run --rm --user nosuch IMAGE true
  run --rm --user 1000:1000 IMAGE id
  run --rm -w relative IMAGE pwd
  run --rm --entrypoint echo IMAGE hi
  run --rm --read-only IMAGE touch /x
  run --rm --cap-add BOGUS IMAGE true
  run --rm --security-opt bogus IMAGE true
  run --rm --security-opt seccomp=/nosuch IMAGE true
  run --rm --name bad/name IMAGE true
  run --rm --name web IMAGE true
  run --rm --platform bogus IMAGE true
  run --rm --restart bogus IMAGE true
  run --rm --log-driver bogus IMAGE true
  run --rm --shm-size x IMAGE true
  run --rm --ipc bogus IMAGE true
  run --rm --pid bogus IMAGE true
  run --rm --uts bogus IMAGE true
  run --rm --cgroupns bogus IMAGE true
  run --rm --runtime bogus IMAGE true
  run --rm --health-cmd true --no-healthcheck IMAGE true
  run --rm --memory 64m --memory-swap 32m IMAGE true
  run --rm --cpuset-cpus abc IMAGE true
  run --rm --cidfile ROOT/good.env IMAGE true
  run --rm --sig-proxy=bogus IMAGE true
  run --rm --volumes-from nosuch IMAGE true
  run --rm -h myhost IMAGE hostname
  run --rm --expose 80-abc IMAGE true
  run --rm BAD true
  `,
);

compare(
  "what is no command",
  String.raw`
  nosuch
  container nosuch
  container --nosuch
  --nosuch
  ps x
  help nosuch
  -l bogus ps
  -c default ps -q
  -c other -H unix:///nosuch.sock ps
  -H unix:///nosuch.sock ps
  -H unix:///nosuch.sock run IMAGE
  -H tcp://127.0.0.1:1 ps
  `,
);

test.skipIf(!installed)(`pulling, and running what is not here yet${why}`, async () => {
  using registry = new LocalRegistry();
  registry.publish("box", "1", [await busyboxLayer(), tar([{ name: "top", content: "top\n" }])]);
  const name = `${registry.host}/box:1`;
  const lines = [
    ["pull", name],
    ["pull", "-q", name],
    ["run", "--rm", name, "cat", "/top"],
    ["run", "--rm", "-q", name, "cat", "/top"],
    ["run", "--rm", "--pull", "always", name, "cat", "/top"],
    ["run", "--rm", "--pull", "never", name, "cat", "/top"],
    ["create", "--name", "pulled", name],
    ["pull", `${registry.host}/nothere`],
    ["run", "--rm", `${registry.host}/nothere`],
    ["pull", "--platform", "linux/s390x", name],
  ];
  // Lines of layers that download side by side come in any order.
  const sorted = (finished: Finished) => {
    const { code, stdout, stderr } = plain(finished);
    return { code, stdout: stdout.split("\n").toSorted(byText), stderr: stderr.split("\n").toSorted(byText) };
  };
  const both = async (line: readonly string[]) => {
    const results: object[] = [];
    for (const program of ["docker", "berth"] as const) {
      results.push({ line, ...sorted(await engine[program](line)) });
      await engine.berth(["rm", "pulled"]);
      await engine.berth(["rmi", "-f", name]);
    }
    return results;
  };
  for (const line of lines) {
    const [theirs, ours] = await both(line);
    expect(ours).toEqual(theirs as object);
  }
});

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

test.skipIf(!installed)(`the help of every verb has Docker's flags${why}`, async () => {
  const { entries } = await import("#cli/commands.ts");
  /** What follows "Options:", without the pages that Docker refers to and its experimental and legacy options. */
  const flags = (help: string) =>
    new Map(
      [...help.matchAll(/^ {2}(?:(-\w), | {4})--([\w-]+)(?: (\w+))?/gm)].map(([, short, long, type]) => [
        long,
        { short, type },
      ]),
    );
  const missing: string[] = [];
  for (const { spellings } of entries) {
    const words = (spellings[0] ?? "").split(" ");
    const theirs = await engine.docker([...words, "--help"]);
    if (theirs.code !== 0 || !theirs.stdout.includes(`berth ${words.join(" ")}`.replace("berth", "docker"))) continue;
    const ours = flags((await engine.berth([...words, "--help"])).stdout);
    for (const [long, shape] of flags(theirs.stdout)) {
      const own = ours.get(long);
      if (!own || own.short !== shape.short || own.type !== shape.type) missing.push(`${words.join(" ")} --${long}`);
    }
  }
  expect(missing).toEqual(refused);
});

/** Flags of Docker that ours do not have. */
const refused = ["image ls --tree"];
