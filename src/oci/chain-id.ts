/** chainIDs: the name of a stack of layers. */
import { type Digest, digestOf } from "./digest.ts";

/**
 * The chainID of each prefix of `diffIds` (OCI image-spec, "Layer ChainID"), bottom first, so that the last
 * one names the whole stack. Empty for no layers.
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
