/** Reads the fields of Debian's control files (deb822(5)). */

/** The fields of one stanza by their names in lower case; the lines of a value after its first keep their line breaks. */
export function parseStanza(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    if (/^[ \t]/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ""}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    last = line.slice(0, colon).toLowerCase();
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

/** Stanzas are parted by empty lines. */
export function parseStanzas(text: string): Map<string, string>[] {
  return text
    .split(/\n[ \t]*\n/)
    .map(parseStanza)
    .filter((fields) => fields.size > 0);
}
