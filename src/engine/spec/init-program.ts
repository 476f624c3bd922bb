/** Finds the program that `--init` puts in front of a container's own. */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { initPrograms } from "#lib/requirements.ts";

export const initRemedy = "install the package tini or catatonit";

/** Path of the first installed static init program (the image need not hold a dynamic linker); undefined where there is none. */
export function findInit(candidates = initPrograms): string | undefined {
  return candidates.find((path) => existsSync(path) && isStaticElf(path));
}

const PT_INTERP = 3;

/** True for a 64-bit little-endian ELF file without a program interpreter (elf(5)). */
function isStaticElf(path: string): boolean {
  const head = new DataView(new ArrayBuffer(4096));
  const fd = openSync(path, "r");
  let length: number;
  try {
    length = readSync(fd, head);
  } finally {
    closeSync(fd);
  }
  if (length < 64 || head.getUint32(0) !== 0x7f454c46 || head.getUint8(4) !== 2) return false;
  const [offset, size, count] = [
    Number(head.getBigUint64(32, true)),
    head.getUint16(54, true),
    head.getUint16(56, true),
  ];
  if (offset + size * count > length) return false;
  return !Array.from({ length: count }, (_, i) => head.getUint32(offset + i * size, true)).includes(PT_INTERP);
}
