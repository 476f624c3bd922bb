/** Makes first images from the distribution's packages, for machines that reach no registry. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { formatTime } from "#lib/time.ts";
import { packTree } from "#linux/helper-client.ts";
import type { RunConfig } from "#oci/image-config.ts";
import * as types from "#oci/media-type.ts";
import { familiarReference, type Reference } from "#oci/reference.ts";
import { announce, type ImageContext, leasing } from "../context.ts";
import { createImage } from "../create.ts";
import { parseTagName } from "../tag.ts";
import type { Progress } from "../types.ts";
import { busyboxRootfs } from "./busybox.ts";
import { debianRootfs } from "./debian.ts";
import { parseSuite } from "./distribution.ts";

/** A tree that is to become an image's only layer. */
interface Made {
  readonly path: string;
  /** Seconds since the epoch; absent for now. */
  readonly date?: number;
  readonly config: RunConfig;
}

/**
 * Makes `busybox[:tag]`, `debian:SUITE` or `ubuntu:SUITE` (a suite's name, or a version such as 12; `-slim` for Debian).
 * Throws "invalid" for any other name; rejects "unavailable" naming the mirror that cannot be reached. Leaves nothing then.
 */
export async function bootstrapImage(
  context: ImageContext,
  name: string,
  options: { mirror?: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const reference = parseTagName(name);
  const make = maker(context, reference, options.mirror, progress, signal);
  mkdirSync(context.layout.temporary, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(context.layout.temporary, "bootstrap-"));
  await leasing(context, async (lease) => {
    try {
      const { path, date, config } = await make(work);
      progress({ status: "Packing the layer" });
      const packed = packTree({ root: path, mode: "plain" }, signal);
      const blob = await context.store.content.ingest(packed.stream, { lease }, signal);
      await packed.done;
      await context.store.layers.adopt(path, blob.digest, signal);
      const image = createImage(context, {
        layer: { diffId: blob.digest, blob: { ...blob, mediaType: types.ociLayer } },
        config,
        createdBy: `berth image bootstrap ${familiarReference(reference)}`,
        reference: familiarReference(reference),
        ...(date !== undefined && { created: formatTime(BigInt(date) * 1_000_000_000n) }),
      });
      announce(context, "import", image.id, familiarReference(reference), image);
      progress({ status: `Made ${familiarReference(reference)}` });
    } finally {
      context.store.trash.put(work);
    }
  });
}

function maker(
  context: ImageContext,
  reference: Reference,
  mirror: string | undefined,
  progress: Progress,
  signal: AbortSignal,
): (work: string) => Promise<Made> {
  const Env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
  if (reference.path === "library/busybox") {
    if (mirror !== undefined) {
      throw new EngineError(
        "invalid",
        "busybox is made from the mirrors that apt is set up with: --mirror does not apply",
      );
    }
    return async (work) => ({ path: await busyboxRootfs(work, progress, signal), config: { Cmd: ["sh"], Env } });
  }
  const suite = parseSuite(reference);
  if (suite === undefined) {
    const name = familiarReference(reference);
    throw new EngineError("invalid", `cannot bootstrap ${name}: name busybox, debian:SUITE or ubuntu:SUITE`);
  }
  if (mirror !== undefined && !/^https?:\/\/[^\s/]+/.test(mirror)) {
    throw new EngineError("invalid", `invalid mirror ${JSON.stringify(mirror)}: it must be an http or https URL`);
  }
  return async (work) => ({
    ...(await debianRootfs(context.sandbox, suite, mirror, work, progress, signal)),
    config: { Cmd: [...suite.distribution.command], Env },
  });
}
