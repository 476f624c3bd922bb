/** Schemas of mounts and published ports, which bodies of several sorts have. */
import { z } from "zod";
import type { Mount, PortMap } from "#api/types/container-config.ts";
import { flag, integer, list, omitEmpty, oneOf, text, textList, textMap } from "./decode.ts";

const mountTypes = ["", "bind", "volume", "tmpfs", "npipe", "cluster", "image"] as const;
const propagations = ["", "rprivate", "private", "rshared", "shared", "rslave", "slave"] as const;

export const mountSchema = z
  .object({
    Type: oneOf(mountTypes, (value) => `invalid mount config for type ${JSON.stringify(value)}: mount type unknown`),
    Source: text,
    Target: text,
    ReadOnly: flag,
    Consistency: text,
    BindOptions: z
      .object({
        Propagation: oneOf(
          propagations,
          (value) => `invalid mount config for type "bind": invalid propagation mode: ${String(value)}`,
        ),
        NonRecursive: flag,
        CreateMountpoint: flag,
        ReadOnlyNonRecursive: flag,
        ReadOnlyForceRecursive: flag,
      })
      .nullish(),
    VolumeOptions: z
      .object({
        NoCopy: flag,
        Labels: textMap,
        Subpath: text,
        DriverConfig: z.object({ Name: text, Options: textMap }).nullish(),
      })
      .nullish(),
    ImageOptions: z.object({ Subpath: text }).nullish(),
    TmpfsOptions: z.object({ SizeBytes: integer, Mode: integer, Options: list(textList) }).nullish(),
    Owners: text,
  })
  .transform((wire): Mount => {
    const { Type, VolumeOptions, BindOptions, ImageOptions, TmpfsOptions, ...rest } = wire;
    const { DriverConfig, ...volume } = VolumeOptions ?? {};
    return omitEmpty<Mount>(
      {
        ...(Type === "" ? {} : { Type }),
        ...rest,
        BindOptions: BindOptions ?? null,
        VolumeOptions: VolumeOptions == null ? null : { ...volume, ...(DriverConfig == null ? {} : { DriverConfig }) },
        ImageOptions: ImageOptions ?? null,
        TmpfsOptions: TmpfsOptions ?? null,
      },
      [
        "Source",
        "Target",
        "ReadOnly",
        "Consistency",
        "BindOptions",
        "VolumeOptions",
        "ImageOptions",
        "TmpfsOptions",
        "Owners",
      ],
    );
  });

export const portBindingsSchema: z.ZodType<PortMap | null> = z
  .record(z.string(), list(z.object({ HostIp: text, HostPort: text })))
  .nullish()
  .transform((map) => map ?? null);
