/** Reads option strings as mount(8) and Docker's volumes have them: words that are flags of mount(2), the rest data. */

/** What mount(2) takes. */
export interface MountWords {
  /** Those of mount(2), without the propagation's. */
  readonly flags: number;
  /** Flags of a second call: the kernel changes propagation by itself only. */
  readonly propagation: number;
  /** What only the file system understands, comma by comma. */
  readonly data: string;
}

/** Later words win over earlier ones. Unknown words, and all with a value, are data. */
export function parseMountWords(text: string): MountWords {
  let flags = 0;
  let propagation = 0;
  const data: string[] = [];
  for (const word of text.split(",")) {
    const known = WORDS.get(word);
    if (known !== undefined) flags = known < 0 ? flags & ~-known : flags | known;
    else if (PROPAGATION.has(word)) propagation |= PROPAGATION.get(word) ?? 0;
    else if (word !== "") data.push(word);
  }
  return { flags, propagation, data: data.join(",") };
}

export const MS_RDONLY = 1;
export const MS_REMOUNT = 0x20;
export const MS_BIND = 0x1000;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_SYNCHRONOUS = 0x10;
const MS_MANDLOCK = 0x40;
const MS_DIRSYNC = 0x80;
const MS_NOATIME = 0x400;
const MS_NODIRATIME = 0x800;
const MS_REC = 0x4000;
const MS_UNBINDABLE = 0x20000;
const MS_PRIVATE = 0x40000;
const MS_SLAVE = 0x80000;
const MS_SHARED = 0x100000;
const MS_RELATIME = 0x200000;
const MS_STRICTATIME = 0x1000000;

/** Negative: takes the flag away. */
const WORDS: ReadonlyMap<string, number> = new Map([
  ["defaults", 0],
  ["ro", MS_RDONLY],
  ["rw", -MS_RDONLY],
  ["nosuid", MS_NOSUID],
  ["suid", -MS_NOSUID],
  ["nodev", MS_NODEV],
  ["dev", -MS_NODEV],
  ["noexec", MS_NOEXEC],
  ["exec", -MS_NOEXEC],
  ["sync", MS_SYNCHRONOUS],
  ["async", -MS_SYNCHRONOUS],
  ["dirsync", MS_DIRSYNC],
  ["remount", MS_REMOUNT],
  ["mand", MS_MANDLOCK],
  ["nomand", -MS_MANDLOCK],
  ["noatime", MS_NOATIME],
  ["atime", -MS_NOATIME],
  ["nodiratime", MS_NODIRATIME],
  ["diratime", -MS_NODIRATIME],
  ["bind", MS_BIND],
  ["rbind", MS_BIND | MS_REC],
  ["relatime", MS_RELATIME],
  ["norelatime", -MS_RELATIME],
  ["strictatime", MS_STRICTATIME],
  ["nostrictatime", -MS_STRICTATIME],
]);

const PROPAGATION: ReadonlyMap<string, number> = new Map([
  ["unbindable", MS_UNBINDABLE],
  ["runbindable", MS_UNBINDABLE | MS_REC],
  ["private", MS_PRIVATE],
  ["rprivate", MS_PRIVATE | MS_REC],
  ["slave", MS_SLAVE],
  ["rslave", MS_SLAVE | MS_REC],
  ["shared", MS_SHARED],
  ["rshared", MS_SHARED | MS_REC],
]);
