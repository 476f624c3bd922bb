/** `cp` in both directions: what arrives, under which name, and what is refused, side by side with `docker cp`. */
import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Engine, startEngine } from "./harness/engine.ts";
import { output, run } from "./harness/process.ts";

const programs = Bun.which("docker") === null ? (["berth"] as const) : (["berth", "docker"] as const);

/** Paths, kinds, modes, owners, sizes and link targets below a folder. */
async function tree(folder: string): Promise<string[]> {
  const lines = await output(["find", folder, "-mindepth", "1", "-printf", "%P %y %m %U %G %s %l\\n"]);
  return lines
    .split("\n")
    .map((line) => line.replace(/ d (\d+ \d+ \d+) \d+ /, " d $1 - "))
    .toSorted((a, b) => (a < b ? -1 : 1));
}

async function fill(folder: string): Promise<void> {
  await mkdir(join(folder, "dir/sub"), { recursive: true });
  await Bun.write(join(folder, "file"), "a file\n");
  await Bun.write(join(folder, "dir/one"), "1\n");
  await Bun.write(join(folder, "dir/sub/a.b[c]*"), "odd name\n");
  await output([
    "sh",
    "-c",
    `cd ${folder} && ln -s dir/one link && ln dir/one dir/two && chmod 4755 dir/one && chown 1000:2000 file`,
  ]);
}

/** Runs each command line with both programs, each on a fresh copy of everything, and compares what came of it. */
async function compare(engine: Engine, lines: readonly (readonly string[])[]): Promise<void> {
  for (const line of lines) {
    const results = [];
    for (const program of programs) {
      const here = await mkdtemp("/var/tmp/berth-cp-");
      await fill(here);
      await mkdir(join(here, "there"));
      const script =
        "mkdir -p /w/dir/sub /w/there; cd /w; echo f >file; echo 1 >dir/one; ln -s dir/one link; chown 1000:2000 file; sleep 600";
      const box = await engine.run(["sh", "-c", script], { name: "box" });
      await box.exec(["sh", "-c", "until [ -L /w/link ]; do usleep 10000; done"]);
      const { code, stdout, stderr } = await engine[program](line.map((word) => word.replace("HERE", here)));
      const inside = await box.exec([
        "sh",
        "-c",
        "cd /w; find . -exec stat -c '%n %f %u %g' {} + | sort; find . -type f -exec cat {} +",
      ]);
      // Docker also logs how its own packing broke off.
      const words = (text: string) =>
        text
          .replaceAll(/^time=".*\n/gm, "")
          .replaceAll(here, "HERE")
          .replaceAll("docker", "berth");
      results.push({
        line,
        code,
        stdout: words(stdout),
        stderr: words(stderr),
        here: await tree(here),
        inside: inside.stdout,
      });
      await box.remove({ force: true });
      await rm(here, { recursive: true });
    }
    if (results.length > 1) expect(results[0]).toEqual(results[1] as (typeof results)[0]);
  }
}

test("from a container", async () => {
  await using engine = await startEngine();
  await compare(engine, [
    ["cp", "box:/w/file", "HERE/there"],
    ["cp", "box:/w/file", "HERE/new"],
    ["cp", "box:/w/file", "HERE/dir/one"],
    ["cp", "box:w/dir", "HERE/there"],
    ["cp", "box:/w/dir", "HERE/new"],
    ["cp", "box:/w/dir/.", "HERE/there"],
    ["cp", "box:/w/dir/.", "HERE/new"],
    ["cp", "box:/w/link", "HERE/there"],
    ["cp", "-L", "box:/w/link", "HERE/there"],
    ["cp", "-a", "box:/w/file", "HERE/there"],
    ["cp", "box:/w/dir", "HERE/file"],
    ["cp", "box:/w/file", "HERE/nowhere/x"],
    ["cp", "box:/w/file", "HERE/nowhere/"],
    ["cp", "box:/w/missing", "HERE/there"],
    ["cp", "nobody:/w/file", "HERE/there"],
  ]);
});

test("to a container", async () => {
  await using engine = await startEngine();
  await compare(engine, [
    ["cp", "HERE/file", "box:/w/there"],
    ["cp", "HERE/file", "box:/w/new"],
    ["cp", "HERE/file", "box:/w/dir/one"],
    ["cp", "HERE/dir", "box:w/there"],
    ["cp", "HERE/dir", "box:/w/new"],
    ["cp", "HERE/dir/.", "box:/w/there"],
    ["cp", "HERE/link", "box:/w/there"],
    ["cp", "-L", "HERE/link", "box:/w/there"],
    ["cp", "-a", "HERE/file", "box:/w/there"],
    ["cp", "HERE/file", "box:/w/link"],
    ["cp", "HERE/dir", "box:/w/file"],
    ["cp", "HERE/file", "box:/w/nowhere/x"],
    ["cp", "HERE/missing", "box:/w/there"],
    ["cp", "HERE/file", "HERE/there"],
    ["cp", "box:/w/file", "box:/w/there"],
    ["cp", "", "box:/w"],
    ["cp", "HERE/file"],
  ]);
});

test("a link is told with the place it means, though nothing is there", async () => {
  await using engine = await startEngine();
  const links =
    "ln -s /nowhere lost; ln -s lost /chain; ln -s ../x/y /etc/up; ln -s /data /d; ln -s seed /data/s; ln -s a /a";
  const box = await engine.run(["sh", "-c", `${links}; exec sleep 600`], { name: "box" });
  await box.exec(["sh", "-c", "until [ -L /a ]; do usleep 10000; done"]);
  for (const [path, target] of [
    ["/lost", "/nowhere"],
    ["/chain", "/nowhere"],
    ["/etc/up", "/x/y"],
    ["/d", "/data"],
    ["/d/s", "/data/seed"],
    ["/data", ""],
  ]) {
    const { headers } = await fetch(`http://localhost/v1.50/containers/box/archive?path=${path}`, {
      method: "HEAD",
      unix: engine.socket,
    });
    const stat = JSON.parse(atob(headers.get("x-docker-container-path-stat") ?? "")) as { linkTarget: string };
    expect([path, stat.linkTarget]).toEqual([path, target]);
  }
  const made = await mkdtemp("/var/tmp/berth-cp-");
  await fill(made);
  for (const program of programs) {
    expect(await engine[program](["cp", `${made}/dir`, "box:/lost"])).toMatchObject({ code: 0 });
    expect((await box.exec(["sh", "-c", "readlink /lost; cat /nowhere/one; rm -r /nowhere"])).stdout).toBe(
      "/nowhere\n1\n",
    );
  }
  await rm(made, { recursive: true });
  await box.remove({ force: true });
});

test("through pipes", async () => {
  await using engine = await startEngine();
  const box = await engine.run(["sleep", "600"], { name: "box" });
  const script = "berth cp box:/data - | tar t";
  const program = engine.program.map((word) => `'${word}'`).join(" ");
  const env = { BERTH_HOST: `unix://${engine.socket}` };
  const shell = (line: string) => run(["sh", "-c", line.replaceAll("berth", program)], { env });
  expect((await shell(script)).stdout).toBe("data/\ndata/seed\n");
  expect(await shell("tar c -C /etc hostname | berth cp - box:/tmp")).toEqual({ code: 0, stdout: "", stderr: "" });
  expect((await box.exec(["cat", "/tmp/hostname"])).stdout).toBe(await Bun.file("/etc/hostname").text());
  expect((await shell("tar c -C /etc hostname | berth cp - box:/data/seed")).stderr).toContain(
    'destination "box:/data/seed" must be a directory',
  );
  await box.remove({ force: true });
});
