/** The one executable: picks CLI, daemon or helper by the first word, and loads only that part. */

const [first, ...rest] = process.argv.slice(2);

if (first === "daemon") {
  const { runDaemon } = await import("#daemon/daemon.ts");
  // Requests that outlast the grace period must not keep the process.
  process.exit(await runDaemon(rest));
} else if (first === "__helper") {
  const { runHelper } = await import("#linux/helper.ts");
  process.exitCode = await runHelper(rest);
} else {
  const { runCli } = await import("#cli/cli.ts");
  process.exit(await runCli(process.argv.slice(2), process.env));
}
