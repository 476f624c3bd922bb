/** Pulls an image through the daemon: for `pull` itself, and for `run` and `create` when an image is missing. */
import { parseReference, repositoryName } from "#oci/reference.ts";
import type { Output } from "../output.ts";
import { showProgress } from "../progress.ts";
import type { Session } from "../session.ts";

export interface PullOptions {
  readonly platform?: string;
  /** Every tag of the repository. */
  readonly all?: boolean;
  /** Where progress goes; without it nothing is shown. */
  readonly output?: Output;
}

/** Rejects with the daemon's or the registry's message. */
export async function pullImage(session: Session, name: string, { platform, all, output }: PullOptions): Promise<void> {
  const reference = parseReference(name);
  const response = await session.daemon.send("POST", "/images/create", {
    query: {
      fromImage: repositoryName(reference),
      tag: all ? undefined : (reference.digest ?? reference.tag ?? "latest"),
      platform: platform || undefined,
    },
  });
  // Read to its end even when nobody looks: an error may be in it.
  await showProgress(response, output);
}
