/** What becomes of links while containers run: addresses that change, and links that are taken away. */
import { hostTexts, refreshHostFiles } from "#engine/change/host-files.ts";
import { EngineError } from "#lib/errors.ts";
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";
import { isRunning } from "./record.ts";

/** A container has started: those that run and link to it find it in their hosts files. */
export async function refreshParents(context: EngineContext, child: Container): Promise<void> {
  for (const parent of context.containers.all()) {
    if (!parent.record.links?.some((link) => link.child === child.id)) continue;
    using _ = await parent.lock.acquire();
    refresh(context, parent);
  }
}

/** Removes the link that `parent/alias` names (`rm --link`). Throws with Docker's words. */
export async function removeLink(context: EngineContext, reference: string): Promise<void> {
  const [parentName = "", alias, ...more] = reference.replace(/^\//, "").split("/");
  const parent = context.containers.find(parentName);
  if (parent !== undefined && alias === undefined) {
    throw new EngineError("internal", "Conflict, cannot remove the default link name of the container");
  }
  const known = parent?.record.links?.some((link) => link.alias === alias);
  if (parent === undefined || known !== true || more.length > 0) {
    throw new EngineError("not-found", `No such container: ${reference}`);
  }
  using _ = await parent.lock.acquire();
  parent.record.links = parent.record.links?.filter((link) => link.alias !== alias) ?? [];
  context.containers.saveRecord(parent);
  refresh(context, parent);
}

/** The caller holds the lock. */
function refresh(context: EngineContext, parent: Container): void {
  if (!isRunning(parent.state)) return;
  refreshHostFiles(context, parent.record, hostTexts(context, parent.id));
}
