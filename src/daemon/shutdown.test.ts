import { expect, test } from "bun:test";
import { shutdownTimes } from "./shutdown.ts";

const none = Number.POSITIVE_INFINITY;

test.each([
  [15, false, 100, { transfers: 15, all: 20 }],
  [15, true, 10, { transfers: 15, all: 35 }],
  [15, true, 100, { transfers: 15, all: 125 }],
  [15, true, none, { transfers: 15, all: none }],
  [-1, true, 10, { transfers: none, all: none }],
  [0, false, 0, { transfers: 0, all: 5 }],
])("a timeout of %d, stopping containers %p that may take %d: %j", (timeout, stop, slowest, times) => {
  expect(shutdownTimes({ "shutdown-timeout": timeout, "stop-containers": stop }, slowest)).toEqual(times);
});
