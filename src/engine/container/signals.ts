/** Signal names and numbers as Docker's clients write them. */
import { constants } from "node:os";
import { EngineError } from "#lib/errors.ts";

const REALTIME_MIN = 34;
const REALTIME_MAX = 64;

/** Number of `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3`. Throws "invalid" `invalid signal: x`. */
export function parseSignal(text: string): number {
  const refuse = () => new EngineError("invalid", `invalid signal: ${text}`);
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > REALTIME_MAX) throw refuse();
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime !== null) {
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === "-" ? -1 : 1);
    const number = (realtime[1] === "MIN" ? REALTIME_MIN : REALTIME_MAX) + offset;
    if (number < REALTIME_MIN || number > REALTIME_MAX) throw refuse();
    return number;
  }
  const number = (constants.signals as Record<string, number | undefined>)[`SIG${name}`];
  if (number === undefined) throw refuse();
  return number;
}
