import { expect, test } from "bun:test";
import { EngineError, errorKind, errorMessage } from "./errors.ts";

test("what went wrong first is told, not that undoing it went wrong too", () => {
  let thrown: unknown;
  try {
    using stack = new DisposableStack();
    stack.defer(() => {
      throw new Error("cannot undo");
    });
    throw new EngineError("conflict", "first");
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SuppressedError);
  expect(errorMessage(thrown)).toBe("first");
  expect(errorKind(thrown)).toBe("conflict");
});
