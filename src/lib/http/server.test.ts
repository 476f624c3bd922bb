import { expect, test } from "bun:test";

test("a server with nothing under way closes at once, whatever the grace", async () => {
  const program = `
    import { HttpServer } from ${JSON.stringify(`${import.meta.dir}/server.ts`)};
    const server = new HttpServer(() => {});
    server.listenTcp("127.0.0.1", 0);
    await server.close(60_000);
  `;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "inherit" });
  const timer = setTimeout(() => child.kill(), 4000);
  expect(await child.exited).toBe(0);
  clearTimeout(timer);
  expect(child.signalCode).toBeNull();
});
