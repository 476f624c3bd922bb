import { expect, test } from "bun:test";
import { headerFunctions } from "./functions.ts";
import { Template } from "./template.ts";
import { Row, parseJson } from "./value.ts";

// The expectations are answers of the docker client 28.2.2.
const image = {
  Id: "sha256:64cb919455fe43de183a",
  Size: 1984158,
  Config: {
    Env: ["PATH=/bin"],
    Cmd: ["sh"],
    Labels: new Map([
      ["b", "2"],
      ["a", "1"],
    ]),
    Volumes: null,
  },
  RootFS: { Type: "layers", Layers: ["sha256:675d"] },
};

function run(source: string, data: unknown = image): string {
  return new Template(source).execute(data);
}

test.each([
  ['{{.Id}} {{- /* c */ -}}  x  {{- " y" }}', "sha256:64cb919455fe43de183ax y"],
  ["{{with $x := .Id}}{{$x}}{{end}}{{range 3}}{{.}}{{end}}", "sha256:64cb919455fe43de183a012"],
  ["{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{else}}none{{end}}", "0=PATH=/bin;"],
  ["{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "a=1 b=2 "],
  ["{{range .Config.Volumes}}x{{else}}none{{end}}", "none"],
  ["{{.Config.Labels}} {{.RootFS}} {{.Config.Env}}", "map[a:1 b:2] {layers [sha256:675d]} [PATH=/bin]"],
  [
    '{{len .RootFS.Layers}} {{printf "%d|%5d|%-5d|%v|%q|%x" .Size 3 3 .RootFS.Layers "a" "hi"}}',
    '1 1984158|    3|3    |[sha256:675d]|"a"|6869',
  ],
  ['{{.Id | printf "%.12s"}} {{if .Config.Cmd | len | eq 1}}one{{end}}', "sha256:64cb9 one"],
  [
    '{{printf "%d" "x"}} {{printf "%s" 3}} {{printf "%z" 3}} {{printf "%d"}} {{printf "a" 3}}',
    "%!d(string=x) %!s(int=3) %!z(int=3) %!d(MISSING) a%!(EXTRA int=3)",
  ],
  ["{{if eq .Size 1 2 1984158}}in{{else if .Id}}other{{else}}no{{end}}", "in"],
  ["{{if eq .Size 1}}a{{else if .Id}}b{{else}}c{{end}}", "b"],
  ["{{$n := 0}}{{range .Config.Env}}{{$n = 5}}{{end}}{{$n}}", "5"],
  ["{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{break}}{{end}}", ""],
  ['{{index .Config.Labels "a"}}{{index .Config.Env 0}}{{(index .Config.Cmd 0)}}', "1PATH=/binsh"],
  ['{{json .Config.Env}} {{json .Config.Volumes}} {{json "<"}}', '["PATH=/bin"] null "<"'],
  [
    '{{split .Id ":"}} {{join .Config.Env ","}} {{title "hello wOrld"}} {{pad "x" 1 2}}|{{truncate .Id 9}} {{println "a" 1}}',
    "[sha256 64cb919455fe43de183a] PATH=/bin Hello WOrld  x  |sha256:64 a 1\n",
  ],
  [
    '{{html "<a>"}} {{urlquery "a b"}} {{print 1 2 "a" "b" 3}} {{slice .Id 2 5}} {{not .Id}} {{and 1 0 2}} {{or 0 "" 3}} {{1.5}} {{\'a\'}} {{0x10}} {{true}}',
    "&lt;a&gt; a+b 1 2ab3 a25 false 0 3 1.5 97 16 true",
  ],
  ['{{.Config.Volumes}} {{.Config.Labels.nosuch}}{{index .Config.Labels "nosuch"}}', "<nil> <no value>"],
])("%s", (source, text) => {
  expect(run(source)).toBe(text);
});

test.each([
  ["{{.Config.Foo}}", 'template: :1:9: executing "" at <.Config.Foo>: map has no entry for key "Foo"'],
  ["\n {{.Foo}}", 'template: :2:3: executing "" at <.Foo>: map has no entry for key "Foo"'],
  [
    "{{index .Config.Env 5}}",
    'template: :1:2: executing "" at <index .Config.Env 5>: error calling index: index out of range: 5',
  ],
  ["{{foo}}", 'template: :1: function "foo" not defined'],
  ["{{.A .B}", "template: :1: bad character U+007D '}'"],
  ["{{.A", "template: :1: unclosed action"],
  ["{{if}}", "template: :1: missing value for if"],
  ["{{end}}", "template: :1: unexpected {{end}}"],
  ["{{if .Id}}", "template: :1: unexpected EOF"],
  ["{{$x}}", 'template: :1: undefined variable "$x"'],
  ['{{"a}}', "template: :1: unterminated quoted string"],
  ["{{#}}", 'template: :1: unexpected "#" in command'],
  ["{{.Id.Foo}}", 'template: :1:5: executing "" at <.Id.Foo>: can\'t evaluate field Foo in type interface {}'],
  ["{{len 3}}", 'template: :1:2: executing "" at <len 3>: error calling len: len of type int'],
  ['{{eq 1 "a"}}', 'template: :1:2: executing "" at <eq 1 "a">: error calling eq: incompatible types for comparison'],
  ["{{.Id 3}}", 'template: :1:2: executing "" at <.Id>: Id is not a method but has arguments'],
  ["{{nil}}", 'template: :1:2: executing "" at <nil>: nil is not a command'],
])("%s fails as Go does", (source, message) => {
  expect(() => run(source)).toThrow(message);
});

test("a row computes its fields, takes arguments and encodes in key order with HTML escapes", () => {
  const row = new Row("*formatter.imageContext", { Tag: () => "<none>", ID: () => "1", Label: (name) => `[${name}]` });
  expect(run('{{.ID}} {{.Label "x"}} {{json .}}', row)).toBe('1 [x] {"ID":"1","Tag":"\\u003cnone\\u003e"}');
  expect(() => run("{{.Foo}}", row)).toThrow("can't evaluate field Foo in type *formatter.imageContext");
});

test("header rows keep the column's name", () => {
  expect(
    new Template("{{json .ID}} {{upper .Name}} {{pad .ID 1 1}}").execute({ ID: "ID", Name: "NaMe" }, headerFunctions),
  ).toBe("ID NaMe  ID ");
});

test("integers beyond 2^53 stay exact", () => {
  expect(run("{{.n}} {{json .}}", parseJson('{"n":9223372036854775807}'))).toBe(
    '9223372036854775807 {"n":9223372036854775807}',
  );
});
