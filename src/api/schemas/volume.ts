/** Schemas of the bodies of `/volumes`. */
import { z } from "zod";
import type { VolumeCreateBody } from "#api/types/volume.ts";
import { text, textMap } from "./decode.ts";

export const volumeCreateSchema: z.ZodType<VolumeCreateBody> = z.object({
  Name: text,
  Driver: text,
  DriverOpts: textMap,
  Labels: textMap,
  ClusterVolumeSpec: z
    .record(z.string(), z.unknown())
    .nullish()
    .transform((spec) => spec ?? null),
});
