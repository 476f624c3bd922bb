/** What `docker` and `berth` list and show of one daemon: text and exit codes must not differ. */
import { CliComparison } from "./harness/cli-comparison.ts";

const compare = new CliComparison();

compare.lines(
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

compare.lines(
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

compare.lines(
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

compare.lines(
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
