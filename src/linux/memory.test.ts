import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ownMemory, releaseProgramText } from "./memory.ts";

test("the program's code leaves memory and runs on", () => {
  const before = codeInMemory();
  releaseProgramText();
  expect(codeInMemory()).toBeLessThan(before / 2);
});

test("memory can be shrunk at any time", () => {
  for (let i = 0; i < 3; i++) ownMemory.shrink();
});

test("what is resident grows with what is held", () => {
  const before = ownMemory.resident();
  const held = new Uint8Array(30_000_000).fill(1);
  expect(ownMemory.resident() - before).toBeGreaterThan(held.length / 2);
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
