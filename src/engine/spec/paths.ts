/** Parts of /proc and /sys that a container must not see or change. */
import type { HostConfig } from "#api/types/container-config.ts";

export const maskedPaths: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];

export const readonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** Fills in the lists that the client left out, so that inspect shows what holds. */
export function fillPaths(hostConfig: HostConfig, unconfined: boolean, thermalThrottle: readonly string[]): void {
  if (hostConfig.Privileged) {
    hostConfig.MaskedPaths = null;
    hostConfig.ReadonlyPaths = null;
  } else if (unconfined) {
    hostConfig.MaskedPaths = [];
    hostConfig.ReadonlyPaths = [];
  } else {
    hostConfig.MaskedPaths ??= [...maskedPaths, ...thermalThrottle];
    hostConfig.ReadonlyPaths ??= [...readonlyPaths];
  }
}
