/** Does one thing to each of several named objects: every failure is told, the others go on. */
import { errorMessage } from "#lib/errors.ts";
import type { Session } from "./session.ts";

/** `work` resolves to the line to print, none meaning none. Resolves to the exit code: 1 where any failed. */
export async function forEach(
  session: Session,
  names: readonly string[],
  work: (name: string) => Promise<string | undefined>,
): Promise<number> {
  let code = 0;
  for (const name of names) {
    try {
      const line = await work(name);
      if (line !== undefined) session.out.line(line);
    } catch (error) {
      session.err.line(errorMessage(error));
      code = 1;
    }
  }
  return code;
}

/** Asks on the terminal before something is lost; anything but y is no. */
export async function confirmed(session: Session, warning: string): Promise<boolean> {
  session.out.write(`${warning}\nAre you sure you want to continue? [y/N] `);
  for await (const line of console) return /^y(es)?$/i.test(line.trim());
  return false;
}
