/** Brings a running container's hosts and resolv.conf up to date. They are bound into it, so they are written in place. */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { EngineContext } from "#engine/container/context.ts";
import { linkedHosts } from "#engine/container/links.ts";
import { sandboxRequest } from "#engine/container/network.ts";
import type { ContainerRecord } from "#engine/container/record.ts";
import type { Sandbox } from "#engine/network/types.ts";

export type HostTexts = Pick<Sandbox, "hosts" | "resolvConf">;

/** What the files say by the database; undefined where the container has none of its own. */
export function hostTexts({ networks }: EngineContext, id: string): HostTexts | undefined {
  const sandbox = networks.sandbox(id);
  if (sandbox === undefined || sandbox.sharedWith !== undefined) return undefined;
  return { hosts: sandbox.hosts, resolvConf: sandbox.resolvConf };
}

/**
 * `before` are the texts before the change, for `record` those after it, which `tell` hears of before they are written.
 * Returns the undo.
 */
export function refreshHostFiles(
  context: EngineContext,
  record: ContainerRecord,
  before: HostTexts | undefined,
  tell: (texts: HostTexts) => void = () => {},
): () => void {
  const after = context.networks.refreshFiles({ ...sandboxRequest(record), linked: linkedHosts(context, record) });
  if (before === undefined || after === undefined) return () => {};
  tell({ hosts: after.hosts, resolvConf: after.resolvConf });
  const folder = context.layout.container(record.id);
  const edit = (from: HostTexts, to: HostTexts): void => {
    editLines(join(folder, "hosts"), from.hosts, to.hosts);
    editLines(join(folder, "resolv.conf"), from.resolvConf, to.resolvConf);
  };
  edit(before, after);
  return () => edit(after, before);
}

/** Takes the lines of `from` that `to` has not out of a file and puts the new ones in: other programs write to it too. */
function editLines(file: string, from: string, to: string): void {
  if (from === to) return;
  const text = readFileSync(file, "utf8");
  overwrite(file, text === from ? to : withLines(text, lines(from), lines(to)));
}

/** At no moment is the file empty: the program may read it, and the daemon die. */
function overwrite(file: string, text: string): void {
  const bytes = Buffer.from(text);
  const fd = openSync(file, "r+");
  try {
    writeSync(fd, bytes, 0, bytes.length, 0);
    ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}

function withLines(text: string, from: readonly string[], to: readonly string[]): string {
  const gone = from.filter((line) => !to.includes(line));
  const fresh = to.filter((line) => !from.includes(line));
  const kept = lines(text).filter((line) => !gone.includes(line));
  return `${[...kept, ...fresh.filter((line) => !kept.includes(line))].join("\n")}\n`;
}

function lines(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}
