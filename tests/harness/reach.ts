/** Containers with every sort of published port, and the table of who must reach what: for tests in a private network. */
import { expect } from "bun:test";
import { askAll, listen, type Question } from "#engine/network/peers.ts";
import { HOST_ADDRESS, OUTSIDE_ADDRESS, raiseOutside } from "#engine/network/private-network.ts";
import type { Box } from "./box.ts";
import type { Engine } from "./engine.ts";

const TCP = { everywhere: 80, loopback: 81, address: 82, range: 83, closed: 84 };
const UDP = { everywhere: 53, loopback: 54 };
const OUTSIDE_PORT = 7;
const RANGE = "18100-18120";

type Expected = readonly [...Question, answer: string];

/** Four containers: one that serves, itself a client too, one of its network, one of another, one of that one's. */
export class Reach implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #open: AsyncDisposableStack;
  readonly #boxes: { web: Box; neighbour: Box; stranger: Box };
  readonly #outside: string;

  private constructor(engine: Engine, open: AsyncDisposableStack, boxes: Reach["boxes"], outside: string) {
    this.#engine = engine;
    this.#open = open;
    this.#boxes = boxes;
    this.#outside = outside;
  }

  /** The namespace of the outside machine. */
  get outside(): string {
    return this.#outside;
  }

  get boxes(): { web: Box; neighbour: Box; stranger: Box } {
    return this.#boxes;
  }

  /** Makes the containers and an outside machine, which listens on a port. The host must have been raised. */
  static async prepare(engine: Engine): Promise<Reach> {
    await using open = new AsyncDisposableStack();
    const outside = open.use(await raiseOutside());
    open.use(await listen(outside.path, "tcp", OUTSIDE_PORT));
    await engine.wire.json("POST", "/networks/create", { Name: "other" });
    const bind = (HostIp = "", HostPort = "") => [{ HostIp, HostPort }];
    const PortBindings = {
      [`${TCP.everywhere}/tcp`]: bind(),
      [`${TCP.loopback}/tcp`]: bind("127.0.0.1"),
      [`${TCP.address}/tcp`]: bind(HOST_ADDRESS),
      [`${TCP.range}/tcp`]: bind("", RANGE),
      [`${UDP.everywhere}/udp`]: bind(),
      [`${UDP.loopback}/udp`]: bind("127.0.0.1"),
    };
    const web = await engine.run(["sleep", "600"], { HostConfig: { PortBindings } });
    const neighbour = await engine.run(["sleep", "600"]);
    const stranger = await engine.run(["sleep", "600"], { HostConfig: { NetworkMode: "other" } });
    open.use(await listen(await web.namespace(), "tcp", ...Object.values(TCP)));
    open.use(await listen(await web.namespace(), "udp", ...Object.values(UDP)));
    return new Reach(engine, open.move(), { web, neighbour, stranger }, outside.path);
  }

  /** Rejects where anyone reaches what it must not, or does not reach what it must. */
  async check(): Promise<void> {
    const { web, neighbour, stranger } = this.#boxes;
    const { Gateway, IPAddress, Ports } = (await web.inspect()).NetworkSettings;
    const port = (container: number, protocol: "tcp" | "udp") =>
      Number(Ports[`${container}/${protocol}`]?.[0]?.HostPort);
    const tcp = (host: string, key: keyof typeof TCP, answer: string): Expected => [
      "tcp",
      host,
      port(TCP[key], "tcp"),
      answer,
    ];
    const udp = (host: string, key: keyof typeof UDP, answer: string): Expected => [
      "udp",
      host,
      port(UDP[key], "udp"),
      answer,
    ];
    const direct = (container: number, answer: string): Expected => ["tcp", IPAddress, container, answer];
    const out = (answer: string): Expected => ["tcp", OUTSIDE_ADDRESS, OUTSIDE_PORT, answer];
    const other = (await stranger.inspect()).NetworkSettings.Networks["other"];
    const own = (await neighbour.inspect()).NetworkSettings.IPAddress;
    const published = (answer: string): Expected[] => [
      tcp(HOST_ADDRESS, "everywhere", answer),
      tcp(HOST_ADDRESS, "address", answer),
      tcp(HOST_ADDRESS, "range", answer),
      udp(HOST_ADDRESS, "everywhere", answer),
      tcp(HOST_ADDRESS, "loopback", "refused"),
      udp(HOST_ADDRESS, "loopback", "refused"),
    ];
    const byGateway = (gateway: string, answer: string): Expected[] => [
      tcp(gateway, "everywhere", answer),
      udp(gateway, "everywhere", answer),
      tcp(gateway, "loopback", "refused"),
      tcp(gateway, "address", "refused"),
    ];
    await expectAnswers("the host", undefined, [
      tcp("127.0.0.1", "everywhere", Gateway),
      tcp("127.0.0.1", "loopback", Gateway),
      tcp("127.0.0.1", "range", Gateway),
      tcp("127.0.0.1", "address", "refused"),
      udp("127.0.0.1", "everywhere", Gateway),
      udp("127.0.0.1", "loopback", Gateway),
      direct(TCP.closed, Gateway),
      ...published(HOST_ADDRESS),
    ]);
    await expectAnswers("another container of the network", await neighbour.namespace(), [
      ...published(Gateway),
      ...byGateway(Gateway, Gateway),
      direct(TCP.closed, own),
      out(HOST_ADDRESS),
    ]);
    await expectAnswers("the container itself", await web.namespace(), [
      ...published(Gateway),
      ...byGateway(Gateway, Gateway),
      out(HOST_ADDRESS),
    ]);
    await expectAnswers("a container of another network", await stranger.namespace(), [
      ...published(other?.IPAddress ?? ""),
      ...byGateway(other?.Gateway ?? "", other?.IPAddress ?? ""),
      direct(TCP.closed, "timeout"),
      direct(TCP.everywhere, "timeout"),
      out(HOST_ADDRESS),
    ]);
    await expectAnswers("another machine", this.#outside, [
      ...published(OUTSIDE_ADDRESS),
      direct(TCP.closed, "timeout"),
      direct(TCP.everywhere, "timeout"),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open[Symbol.asyncDispose]();
    for (const box of Object.values(this.#boxes)) await box.remove({ force: true });
    await this.#engine.wire.bytes("DELETE", "/networks/other");
  }
}

async function expectAnswers(who: string, from: string | undefined, expected: readonly Expected[]): Promise<void> {
  const answers = await askAll(
    from,
    expected.map(([protocol, host, port]) => [protocol, host, port]),
  );
  const name = ([protocol, host, port]: readonly [string, string, number, ...unknown[]]) =>
    `${who} to ${host}:${port}/${protocol}`;
  expect(expected.map((one, i) => [name(one), answers[i]])).toEqual(expected.map((one) => [name(one), one[3]]));
}
