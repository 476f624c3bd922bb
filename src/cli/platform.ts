/** `--platform os[/arch[/variant]]` where the API wants an object. */

/** The JSON of an OCI platform; undefined for empty text. */
export function parsePlatform(text: string): string | undefined {
  if (text === "") return undefined;
  const [os = "", architecture = "", variant] = text.toLowerCase().split("/");
  return JSON.stringify({ architecture, os, ...(variant ? { variant } : {}) });
}
