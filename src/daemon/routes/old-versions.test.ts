import { expect, test } from "bun:test";
import type { ImageSummary } from "#api/types/image.ts";
import { diskUsageOf } from "./old-versions.ts";

test("disk usage shows images as each version's list of images does", () => {
  const image = { Id: "sha256:1", RepoTags: ["a:1"], RepoDigests: [], Size: 7 } as unknown as ImageSummary;
  expect(diskUsageOf("1.43", { LayersSize: 7, Images: [image] })).toMatchObject({ Images: [{ VirtualSize: 7 }] });
  expect(diskUsageOf("1.44", { LayersSize: 7, Images: [image] })).toEqual({ LayersSize: 7, Images: [image] });
  expect(diskUsageOf("1.50", { Volumes: [] })).toEqual({ Volumes: [] });
});
