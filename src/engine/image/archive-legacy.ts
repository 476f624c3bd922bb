/** Archives of Docker before 1.10: a `repositories` file and, for each layer, `<id>/json` and `<id>/layer.tar`. */
import { EngineError } from "#lib/errors.ts";
import { isRecord, type JsonObject, optionalString, stringsOf } from "#oci/json.ts";
import { type History, parseRunConfig, serializeImageConfig } from "#oci/image-config.ts";
import type { Digest } from "#oci/digest.ts";
import { parseReference, type Reference } from "#oci/reference.ts";
import type { ImageArchive } from "./archive.ts";
import type { ArchivedImage } from "./archive-content.ts";

/** Docker image-spec v1. The configs lack diffIDs, which only reading the layers tells: `completeLegacy` adds them. */
export async function legacyImages(archive: ImageArchive): Promise<ArchivedImage[]> {
  const names = new Map<string, Reference[]>();
  for (const [repository, tags] of Object.entries(await archive.json("repositories"))) {
    if (!isRecord(tags)) continue;
    for (const [tag, id] of Object.entries(tags)) {
      if (typeof id !== "string") continue;
      names.set(id, [...(names.get(id) ?? []), parseReference(`${repository}:${tag}`)]);
    }
  }
  return Promise.all(
    [...names].map(async ([id, references]) => {
      const chain = await readChain(archive, id);
      return {
        config: new Uint8Array(),
        layers: chain.map((layer) => `${layer.id}/layer.tar`),
        references,
        legacy: chain.map(({ document }) => document),
      };
    }),
  );
}

/** The v1 documents of an image, bottom first. */
export type LegacyChain = readonly JsonObject[];

const maximumDepth = 512;

async function readChain(archive: ImageArchive, top: string): Promise<{ id: string; document: JsonObject }[]> {
  const chain: { id: string; document: JsonObject }[] = [];
  for (let id: string | undefined = top; id !== undefined;) {
    if (!/^[0-9a-f]{64}$/.test(id))
      throw new EngineError("invalid", `invalid archive: bad image id ${JSON.stringify(id)}`);
    if (chain.length >= maximumDepth)
      throw new EngineError("invalid", "invalid archive: the parents of an image never end");
    const document: JsonObject = await archive.json(`${id}/json`);
    chain.unshift({ id, document });
    id = optionalString(document["parent"]);
  }
  return chain;
}

/** The image config that a v1 chain stands for. */
export function completeLegacy(chain: LegacyChain, diffIds: readonly Digest[]): Uint8Array {
  const top = chain.at(-1) ?? {};
  const created = optionalString(top["created"]);
  const author = optionalString(top["author"]);
  return serializeImageConfig({
    os: optionalString(top["os"]) ?? "linux",
    architecture: optionalString(top["architecture"]) ?? "amd64",
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    config: parseRunConfig(top["config"]),
    rootfs: { type: "layers", diff_ids: diffIds },
    history: chain.map(historyOf),
  });
}

function historyOf(document: JsonObject): History {
  const container = document["container_config"];
  const command = isRecord(container) ? (stringsOf(container["Cmd"]) ?? []).join(" ") : "";
  const created = optionalString(document["created"]);
  const comment = optionalString(document["comment"]);
  return {
    ...(created !== undefined && { created }),
    ...(command !== "" && { created_by: command }),
    ...(comment !== undefined && { comment }),
  };
}
