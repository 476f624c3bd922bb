/** Image names as the API wants them: repository and tag apart. */
import { familiarName, parseReference } from "#oci/reference.ts";

/** Empty texts for an empty name. Throws "invalid". */
export function splitReference(name: string): { repo: string; tag: string } {
  if (name === "") return { repo: "", tag: "" };
  const reference = parseReference(name);
  return { repo: familiarName(reference), tag: reference.tag ?? "" };
}
