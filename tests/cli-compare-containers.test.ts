/** What `docker` and `berth` do to the containers of one daemon: text and exit codes must not differ. */
import { CliComparison } from "./harness/cli-comparison.ts";

const compare = new CliComparison();

compare.lines(
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

compare.lines(
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
