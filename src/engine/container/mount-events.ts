/** Announces that a container's run has its volumes, and that it has given them back. */
import type { Container } from "./container.ts";
import type { EngineContext } from "./context.ts";

export function announceMounts(
  { events }: EngineContext,
  { id, record }: Container,
  action: "mount" | "unmount",
): void {
  for (const { volume, destination, propagation, readOnly } of record.mounts) {
    if (volume === undefined) continue;
    const how = { destination, propagation, "read/write": String(!readOnly) };
    events.emit("volume", action, volume.name, { container: id, driver: "local", ...(action === "mount" && how) });
  }
}
