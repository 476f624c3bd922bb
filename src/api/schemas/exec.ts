/** Schemas of the bodies of `/exec`. */
import { z } from "zod";
import type { ExecConfig, ExecStartBody } from "#api/types/exec.ts";
import { flag, text, textList, words } from "./decode.ts";

const optionalConsoleSize = z
  .tuple([z.int(), z.int()])
  .nullish()
  .transform((size) => size ?? null);

export const execConfigSchema: z.ZodType<ExecConfig> = z.object({
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: optionalConsoleSize,
  AttachStdin: flag,
  AttachStderr: flag,
  AttachStdout: flag,
  DetachKeys: text,
  Env: textList,
  WorkingDir: text,
  Cmd: words.transform((list) => list ?? []),
});

export const execStartSchema: z.ZodType<ExecStartBody> = z.object({
  Detach: flag,
  Tty: flag,
  ConsoleSize: optionalConsoleSize,
});
