/** For tests: programs that answer and ask inside a network namespace. */
import { availableParallelism, loadavg } from "node:os";

export type Question = readonly [protocol: "tcp" | "udp", host: string, port: number];

/** How long an answer may take before it is "timeout", on a machine with a processor to spare. */
const PATIENCE_MS = 1500;

/** Where several programs wait for each processor, both sides of a question take as many times longer. */
function patience(): number {
  const waiting = (loadavg()[0] ?? 0) / availableParallelism();
  return PATIENCE_MS * Math.min(Math.max(1, waiting), 10);
}

/** A program that answers each connection (tcp) or datagram (udp) with the address it came from. */
export async function listen(
  netnsPath: string,
  protocol: "tcp" | "udp",
  ...ports: readonly number[]
): Promise<AsyncDisposable> {
  // The socket takes both families, and IPv4 inside IPv6 is written as itself.
  const one =
    protocol === "tcp"
      ? `Bun.listen({ hostname: "::", port, socket: { data() {}, open(s) { s.end(plain(s.remoteAddress)); } } });`
      : `await Bun.udpSocket({ hostname: "::", port, socket: { data(s, _d, p, a) { s.send(plain(a), p, a); } } });`;
  const program = `const plain = (a) => a.replace(/^::ffff:(?=.*[.])/, ""); for (const port of ${JSON.stringify(ports)}) { ${one} } console.log("ready");`;
  const child = Bun.spawn(["nsenter", `--net=${netnsPath}`, process.execPath, "-e", program], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

/** What a listener answers, seen from a namespace (or from the host), or how it fails: "refused", "timeout". */
export async function ask(from: string | undefined, ...[protocol, host, port]: Question): Promise<string> {
  return (await askAll(from, [[protocol, host, port]]))[0] ?? "";
}

/** As `ask`, many questions at a time; answers in their order. */
export async function askAll(from: string | undefined, questions: readonly Question[]): Promise<string[]> {
  const command = [
    process.execPath,
    "-e",
    `const questions = ${JSON.stringify(questions)}; const patience = ${patience()}; ${ASKING}`,
  ];
  const child = Bun.spawn(from === undefined ? command : ["nsenter", `--net=${from}`, ...command], {
    stdout: "pipe",
    stderr: "inherit",
  });
  return JSON.parse(await child.stdout.text()) as string[];
}

const ASKING = `
const tcp = (hostname, port, done) => {
  let text = "";
  Bun.connect({ hostname, port, socket: {
    data(_, bytes) { text += bytes; }, end() { done(text); }, close() { done(text); }, error() {}, connectError() { done("refused"); },
  } }).catch(() => done("refused"));
};
const udp = async (hostname, port, done) => {
  const connect = { hostname, port };
  const own = hostname.includes(":") ? "::" : "0.0.0.0";
  const socket = await Bun.udpSocket({ hostname: own, connect, socket: { data(_, bytes) { done(bytes.toString()); }, error() { done("refused"); } } });
  socket.send("x");
};
const answers = questions.map(([protocol, host, port]) => new Promise((done) => {
  setTimeout(() => done("timeout"), patience);
  (protocol === "tcp" ? tcp : udp)(host, port, done);
}));
console.log(JSON.stringify(await Promise.all(answers)));
process.exit(0);
`;
