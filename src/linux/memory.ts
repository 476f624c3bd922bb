/** The process's own memory: how much it is, and what of it can go back to the kernel. */
import { dlopen } from "bun:ffi";
import { readFileSync } from "node:fs";
import { syscall } from "./libc.ts";

const MADV_DONTNEED = 4;

/**
 * Unmaps the executable's own code pages: what runs again comes back from the page cache by minor faults, what only
 * ran at start-up does not. Only mappings that nobody can write to are touched, so nothing is lost.
 */
export function releaseProgramText(): void {
  const own = /^([0-9a-f]+)-([0-9a-f]+) r-xp [0-9a-f]+ \S+ [1-9]\d* +(.*)$/;
  for (const line of readFileSync("/proc/self/maps", "latin1").split("\n")) {
    const [, from = "", to = "", file] = own.exec(line) ?? [];
    if (file !== process.execPath) continue;
    const start = Number.parseInt(from, 16);
    syscall("madvise", start, Number.parseInt(to, 16) - start, MADV_DONTNEED);
  }
}

export interface OwnMemory {
  /** Bytes. Cheap enough for a look each second. */
  resident(): number;
  /** Frees what nobody refers to any more, and what the libraries' allocator keeps of it; some 10 ms. */
  collect(): void;
  /** Also drops compiled code and what all allocators keep; some 40 ms, and what runs next is compiled anew. */
  shrink(): void;
}

export const ownMemory: OwnMemory = {
  resident: () => process.memoryUsage.rss(),
  collect: () => {
    Bun.gc(true);
    trimLibraryHeap();
  },
  shrink() {
    Bun.gc(true);
    Bun.shrink();
    trimLibraryHeap();
  },
};

/** Returns what the C library's allocator keeps for later: the libraries that we call allocate there. */
function trimLibraryHeap(): void {
  const libc = dlopen("libc.so.6", { malloc_trim: { args: ["u64"], returns: "i32" } });
  libc.symbols.malloc_trim(0);
  libc.close();
}
