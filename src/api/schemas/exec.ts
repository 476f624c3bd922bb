/** Schemas of the bodies of `/exec`. */
import { z } from "zod";
import type { ExecConfig, ExecStartBody } from "#api/types/exec.ts";
import { flag, optionalConsoleSize, text, textList } from "./decode.ts";

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
  Cmd: textList.transform((list) => list ?? []),
});

export const execStartSchema: z.ZodType<ExecStartBody> = z.object({
  Detach: flag,
  Tty: flag,
  ConsoleSize: optionalConsoleSize,
});
