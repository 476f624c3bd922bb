/** Makes first images from the distribution's packages, for machines that reach no registry. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#lib/errors.ts";
import { packTree } from "#linux/helper-client.ts";
import * as types from "#oci/media-type.ts";
import { familiarReference } from "#oci/reference.ts";
import { announce, type ImageContext } from "../context.ts";
import { createImage } from "../create.ts";
import { parseTagName } from "../tag.ts";
import type { Progress } from "../types.ts";
import { busyboxRootfs } from "./busybox.ts";

/** Makes `busybox[:tag]`. Throws "invalid" for any other name, and for a mirror, which apt's own settings decide here. */
export async function bootstrapImage(
  context: ImageContext,
  name: string,
  options: { mirror?: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const reference = parseTagName(name);
  if (reference.path !== "library/busybox") {
    throw new EngineError("not-implemented", `cannot bootstrap ${name}: only busybox can be made from packages yet`);
  }
  if (options.mirror !== undefined) {
    throw new EngineError(
      "invalid",
      "busybox is made from the mirrors that apt is set up with: --mirror does not apply",
    );
  }
  mkdirSync(context.layout.temporary, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(context.layout.temporary, "bootstrap-"));
  try {
    const rootfs = await busyboxRootfs(work, progress, signal);
    progress({ status: "Packing the layer" });
    using lease = context.store.leases.create();
    const packed = packTree({ root: rootfs, mode: "plain" }, signal);
    const blob = await context.store.content.ingest(packed.stream, {}, signal);
    await packed.done;
    lease.add(blob.digest);
    await context.store.layers.apply(blob.digest, blob.digest, signal);
    const image = createImage(context, {
      layer: { diffId: blob.digest, blob: { ...blob, mediaType: types.ociLayer } },
      config: { Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
      createdBy: "berth image bootstrap busybox",
      reference: familiarReference(reference),
    });
    announce(context, "import", image.id, familiarReference(reference), image);
    progress({ status: `Made ${familiarReference(reference)}` });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
