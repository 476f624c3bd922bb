/** When the end of a container with devices of a vendor is told: its clients may count on the vendor's hooks. */
import type { Container } from "./container.ts";

/** As long as Docker waits for the runtime to take an ended container away. */
const PATIENCE = 2000;

/**
 * Settles when the hooks that follow a container's end have run, or take too long; at once where there are none.
 * To be called when `cleanup` is that of the run that has ended. Never rejects.
 */
export async function vendorHooks({ record, cleanup }: Container): Promise<void> {
  if ((record.hostConfig.DeviceRequests ?? []).length === 0) return;
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, PATIENCE);
  await Promise.race([cleanup, late.promise]);
  clearTimeout(timer);
}
