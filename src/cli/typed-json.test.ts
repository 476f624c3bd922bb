import { expect, test } from "bun:test";
import { Template } from "./template/template.ts";
import { typed } from "./typed-json.ts";

const container = typed({
  State: { Status: "running" },
  Config: { Cmd: null, Volumes: null, Labels: {} },
  HostConfig: { CapAdd: null, PidsLimit: null },
  NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] } },
  Mounts: [{ Type: "bind" }],
});
const run = (source: string) => new Template(source).execute(container);

test("what was left out can be asked for, and is not listed", () => {
  expect(
    run("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} [{{.Config.StopSignal}}] {{.State.Health}}"),
  ).toBe("none [] <nil>");
  expect(run("{{json .State}} {{json .Mounts}}")).toBe('{"Status":"running"} [{"Type":"bind"}]');
  expect(() => run("{{.State.Nosuch}}")).toThrow('map has no entry for key "Nosuch"');
});

test("null prints as the nil of its type and stays null in JSON", () => {
  expect(run("{{.Config.Cmd}} {{.Config.Volumes}} {{.HostConfig.CapAdd}} {{.HostConfig.PidsLimit}}")).toBe(
    "[] map[] [] <nil>",
  );
  expect(run("{{json .Config.Cmd}} {{json .Config.Volumes}} {{len .Config.Cmd}} {{range .Config.Cmd}}x{{end}}")).toBe(
    "null null 0 ",
  );
  expect(run('{{index .Config.Labels "x"}}|{{.NetworkSettings.Ports}}')).toBe("|map[80/tcp:[{0.0.0.0 8080}]]");
});
