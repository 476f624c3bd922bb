import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { PortBook, PortClaims } from "./port-claims.ts";
import type { PortRequest, Protocol } from "./ports.ts";

const LOOPBACK = "127.0.0.1";
const CONTAINER = { 4: "10.0.0.2", 6: "fd00::2" };

function wish(first: number, last = first, protocol: Protocol = "tcp", ...hostAddresses: string[]): PortRequest {
  const addresses = hostAddresses.length > 0 ? hostAddresses : [LOOPBACK];
  return { protocol, containerPort: 80, hostAddresses: addresses, implied: [], direct: [], hostPorts: { first, last } };
}

/** The port that a program of the host got, or its refusal. */
async function listen(port: number): Promise<{ port: number } | { code: string }> {
  const server = createServer();
  const result = Promise.withResolvers<{ port: number } | { code: string }>();
  server.on("error", (error: NodeJS.ErrnoException) => result.resolve({ code: error.code ?? "" }));
  server.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
    result.resolve({ port: (server.address() as { port: number }).port }),
  );
  const answer = await result.promise;
  await new Promise((done) => server.close(done));
  return answer;
}

function oneOf(claims: PortClaims, request: PortRequest): number {
  return claims.claim([request], CONTAINER)[0]?.hostPort ?? 0;
}

test("a claimed port, chosen or random, is closed to other programs and to other daemons until it is freed", async () => {
  const random = new PortClaims(new PortBook());
  const port = oneOf(random, wish(0));
  expect(port).toBeGreaterThan(1023);
  const refused = `failed to bind host port for 127.0.0.1:${port}:10.0.0.2:80/tcp: address already in use`;
  expect(await listen(port)).toEqual({ code: "EADDRINUSE" });
  expect(() => oneOf(new PortClaims(new PortBook()), wish(port))).toThrow(refused);
  random[Symbol.dispose]();

  using chosen = new PortClaims(new PortBook());
  expect(oneOf(chosen, wish(port))).toBe(port);
  expect(await listen(port)).toEqual({ code: "EADDRINUSE" });
  expect(() => oneOf(new PortClaims(new PortBook()), wish(port, port, "tcp", "0.0.0.0"))).toThrow(
    "address already in use",
  );
  chosen[Symbol.dispose]();
  expect(await listen(port)).toEqual({ port });
});

test("udp ports are claimed apart from tcp ones", async () => {
  using claims = new PortClaims(new PortBook());
  const port = oneOf(claims, wish(0, 0, "udp"));
  const socket = createSocket("udp4");
  const refused = Promise.withResolvers<string>();
  socket.on("error", (error: NodeJS.ErrnoException) => refused.resolve(error.code ?? ""));
  socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => refused.resolve("bound"));
  expect(await refused.promise).toBe("EADDRINUSE");
  socket.close();
  using tcp = new PortClaims(new PortBook());
  expect(oneOf(tcp, wish(port))).toBe(port);
});

test("a port of another container is refused with Docker's words, a range gives its next free one", () => {
  const book = new PortBook();
  using first = new PortClaims(book);
  const port = oneOf(first, wish(0));
  using second = new PortClaims(book);
  const taken = (address: string) => `Bind for ${address}:${port} failed: port is already allocated`;
  expect(() => oneOf(second, wish(port))).toThrow(taken("127.0.0.1"));
  expect(() => oneOf(second, wish(port, port, "tcp", "0.0.0.0"))).toThrow(taken("0.0.0.0"));
  expect(oneOf(second, wish(port, port + 5))).toBeGreaterThan(port);
});

test("a port that a running container has is kept although another program took it", async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen({ port: 0, host: "127.0.0.1", exclusive: true }, done));
  const { port } = server.address() as { port: number };
  const book = new PortBook();
  using claims = new PortClaims(book);
  expect(claims.keep({ protocol: "tcp", hostAddress: LOOPBACK, hostPort: port })).toBe(false);
  await new Promise((done) => server.close(done));
  expect(() => oneOf(new PortClaims(book), wish(port))).toThrow("port is already allocated");
});

test("one port is claimed in both families or in none, and each family by itself too", async () => {
  const book = new PortBook();
  using both = new PortClaims(book);
  const published = both.claim([wish(0, 0, "tcp", "127.0.0.1", "::1")], CONTAINER);
  const [port, other] = published.map(({ hostPort }) => hostPort);
  expect(published.map(({ hostAddress }) => hostAddress)).toEqual(["127.0.0.1", "::1"]);
  expect(other).toBe(port as number);
  expect(() => new PortClaims(book).claim([wish(port as number, port, "tcp", "::")], CONTAINER)).toThrow(
    `Bind for :::${port} failed: port is already allocated`,
  );
  both.release(published.slice(0, 1));
  expect(await listen(port as number)).toEqual({ port: port as number });
  // The first family is free, the second is not: the first must not stay claimed.
  const stranger = () =>
    new PortClaims(new PortBook()).claim([wish(port as number, port, "tcp", "127.0.0.1", "::1")], CONTAINER);
  expect(stranger).toThrow(`failed to bind host port for [::1]:${port}:[fd00::2]:80/tcp: address already in use`);
  expect(await listen(port as number)).toEqual({ port: port as number });
});
