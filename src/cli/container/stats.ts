/** `berth stats`: what containers use, once or live. */
import type { ContainerSummary } from "#api/types/container.ts";
import type { EventMessage } from "#api/types/event.ts";
import { errorMessage } from "#lib/errors.ts";
import { verb as define } from "../command.ts";
import { type Connection, filterQuery, jsonLines } from "../connection.ts";
import { ExitError } from "../errors.ts";
import { Formatter, listFormat } from "../format.ts";
import { bool } from "../kinds.ts";
import { shortId } from "../units.ts";
import { StatsBoard } from "./stats-board.ts";
import { statsColumns, statsHeaders, statsRow } from "./stats-row.ts";

/** Milliseconds between two pictures. */
const PERIOD = 500;

export const verb = define({
  use: "[OPTIONS] [CONTAINER...]",
  flags: {
    all: bool("Show all containers (default shows just running)", { short: "a" }),
    format: listFormat,
    "no-stream": bool("Disable streaming stats and only pull the first result"),
    "no-trunc": bool("Do not truncate output"),
  },
  args: { min: 0 },
  complete: ["running"],
  async run(session, { flags, args }) {
    const table = statsColumns.map((name) => `{{.${name}}}`).join("\t");
    const formatter = new Formatter(flags.format || (session.preferences.statsFormat ?? ""), table, statsHeaders);
    const picture = () => formatter.format(board.entries.map((entry) => statsRow(entry, !flags["no-trunc"])));
    using watching = new Watching();
    const board = new StatsBoard(session.daemon, !flags["no-stream"], watching.signal);
    if (args.length > 0) await addNamed(board, args);
    else await addAll(session.daemon, board, flags.all, flags["no-stream"] ? undefined : watching);
    if (flags["no-stream"]) return session.out.write(picture());
    for (;;) {
      // Over the last picture, so that nothing flickers.
      session.out.write(`\x1b[H${picture().replaceAll("\n", "\x1b[K\n")}\x1b[J`);
      await Promise.race([Bun.sleep(PERIOD), watching.failed]);
    }
  },
});

/** What goes on beside the pictures: ends with the command, which it can make fail. */
class Watching implements Disposable {
  readonly #controller = new AbortController();
  readonly #failure = Promise.withResolvers<never>();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Rejects once `fail` is called. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  fail(error: unknown): void {
    this.#failure.reject(error);
  }

  [Symbol.dispose](): void {
    this.#failure.promise.catch(() => {});
    this.#controller.abort();
  }
}

/** Rejects with the refusals of all that are not there. */
async function addNamed(board: StatsBoard, names: readonly string[]): Promise<void> {
  const results = await Promise.allSettled(names.map((name) => board.add(name)));
  const refusals = results.filter((result) => result.status === "rejected").map(({ reason }) => errorMessage(reason));
  if (refusals.length > 0) throw new ExitError(1, refusals.join("\n"));
}

/** Those that the daemon lists; with `watching` also those that come later, while those that end leave (not with `all`). */
async function addAll(daemon: Connection, board: StatsBoard, all: boolean, watching?: Watching): Promise<void> {
  // Before the list is read, so that nothing starts unseen in between.
  if (watching !== undefined) {
    const query = { filters: filterQuery({ type: ["container"] }) };
    const events = await daemon.send("GET", "/events", { query, signal: watching.signal });
    void follow(events, board, all).then(
      () => watching.fail(new ExitError(1, "the daemon has closed the connection")),
      (error: unknown) => watching.fail(error),
    );
  }
  const containers = await daemon.json<ContainerSummary[]>("GET", "/containers/json", { query: { all } });
  // One that has gone meanwhile shows no figures.
  await Promise.allSettled(containers.map(({ Id }) => board.add(shortId(Id))));
}

async function follow(events: Response, board: StatsBoard, all: boolean): Promise<void> {
  for await (const line of jsonLines(events)) {
    const { Action, Actor } = JSON.parse(line) as EventMessage;
    const container = shortId(Actor.ID);
    if (Action === "start" || (Action === "create" && all)) void board.add(container).catch(() => {});
    else if (Action === "die" && !all) board.remove(container);
  }
}
