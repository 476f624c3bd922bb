import { expect, test } from "bun:test";
import { Expiring } from "./expiring.ts";

test("what was touched longest ago ends first, what was taken out does not end", async () => {
  const items = new Expiring<string>(1);
  expect(items.remaining).toBe(Number.POSITIVE_INFINITY);
  for (const item of ["a", "b", "c"]) items.touch(item);
  items.touch("a");
  items.delete("b");
  const ended: string[] = [];
  while (items.remaining !== Number.POSITIVE_INFINITY) {
    await Bun.sleep(items.remaining);
    ended.push(...items.expired());
  }
  expect(ended).toEqual(["c", "a"]);
});

test("nothing ends before its time", () => {
  const items = new Expiring<string>(60_000);
  items.touch("a");
  expect(items.expired()).toEqual([]);
  expect(items.remaining).toBeGreaterThan(0);
});
