/**
 * Fetches / over new connections to 127.0.0.1, eight at a time, and prints answers per second: `bun http-load.ts PORT SECONDS`.
 * To be run in the daemon's network namespace.
 */
const [, , port = "80", seconds = "2"] = process.argv;
const WIDTH = 8;
const request = "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
let answered = 0;

async function fetchOne(): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let first = "";
  await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(request),
      data: (_, bytes) => {
        if (first.length < 12) first += bytes.toString("latin1");
      },
      close: () => {
        if (/^HTTP\/1\.. 200/.test(first)) resolve();
        else reject(new Error(`the answer is ${JSON.stringify(first)}`));
      },
    },
  });
  await promise;
  answered++;
}

async function work(end: number): Promise<void> {
  while (performance.now() < end) await fetchOne();
}

// The server may have just been started, and this program's own code warms up, too.
for (let attempts = 0; answered === 0; attempts++) {
  try {
    await fetchOne();
  } catch (error) {
    if (attempts === 50) throw error;
    await Bun.sleep(20);
  }
}
await work(performance.now() + 300);
const [begun, from] = [performance.now(), answered];
await Promise.all(Array.from({ length: WIDTH }, () => work(begun + Number(seconds) * 1000)));
process.stdout.write(`${Math.round((answered - from) / ((performance.now() - begun) / 1000))}\n`);
