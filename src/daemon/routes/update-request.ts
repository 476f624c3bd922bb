/** Makes an update request of any API version one of the newest. */
import type { ContainerUpdateBody } from "#api/types/container.ts";
import { compareVersions } from "../api.ts";

export function adaptUpdateRequest(body: ContainerUpdateBody, version: string): ContainerUpdateBody {
  const { KernelMemory, PidsLimit = null, ...rest } = body;
  // Since 1.42 it is the kernel that ignores it.
  const kernel = compareVersions(version, "1.42") < 0 && KernelMemory ? { KernelMemory } : {};
  if (PidsLimit === null || compareVersions(version, "1.40") < 0) return { ...rest, ...kernel };
  return { ...rest, ...kernel, PidsLimit: Math.max(PidsLimit, 0) };
}
