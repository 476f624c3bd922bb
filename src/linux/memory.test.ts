import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { releaseProgramText, trimLibraryHeap } from "./memory.ts";

test("the program's code leaves memory and runs on", () => {
  const before = codeInMemory();
  releaseProgramText();
  expect(codeInMemory()).toBeLessThan(before / 2);
});

test("the C library's heap can be trimmed at any time", () => {
  for (let i = 0; i < 3; i++) trimLibraryHeap();
});

/** kB of the executable's code that this process has mapped at the moment. */
function codeInMemory(): number {
  let ours = false;
  let total = 0;
  for (const line of readFileSync("/proc/self/smaps", "latin1").split("\n")) {
    if (/^[0-9a-f]+-/.test(line)) ours = line.includes(" r-xp ") && line.endsWith(process.execPath);
    else if (ours && line.startsWith("Rss:")) total += Number(line.replace(/\D/g, ""));
  }
  return total;
}
