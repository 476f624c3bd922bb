/** Changes of containers by the API, and what a container sees of them. */
import type { ContainerChanges } from "#api/types/change.ts";
import type { Box } from "./box.ts";
import type { Engine } from "./engine.ts";

export async function change(engine: Engine, box: Box, changes: ContainerChanges): Promise<void> {
  await engine.wire.json("POST", `/containers/${box.id}/update`, { Changes: changes });
}

/** What a shell in the container prints, errors too. */
export async function shell(box: Box, script: string): Promise<string> {
  const { stdout, stderr } = await box.exec(["sh", "-c", script]);
  return stdout + stderr;
}

/** The mount points that the container has, without the kernel's own file systems. */
export async function mountPoints(box: Box): Promise<string[]> {
  const table = await shell(box, "cat /proc/self/mountinfo");
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  return points
    .filter((path) => path !== "" && !/^\/($|proc|sys|dev|etc\/(hosts|hostname|resolv.conf)$)/.test(path))
    .toSorted();
}
