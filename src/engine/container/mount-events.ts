/** Announces that a container's run has volumes, and that it has given them back. */
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

export function announceMounts(
  { events }: EngineContext,
  { id, record }: Container,
  action: "mount" | "unmount",
  mounts = record.mounts,
): void {
  for (const { volume, destination, propagation, readOnly } of mounts) {
    if (volume === undefined) continue;
    const how = { destination, propagation, "read/write": String(!readOnly) };
    events.emit("volume", action, volume.name, { container: id, driver: "local", ...(action === "mount" && how) });
  }
}
