/** What `/containers/{id}/stats` tells (Engine API v1.50). */
import type { List } from "./container-config.ts";

export interface CpuStats {
  cpu_usage: {
    total_usage: number;
    percpu_usage?: number[];
    usage_in_kernelmode: number;
    usage_in_usermode: number;
  };
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}
export interface BlkioStatEntry {
  major: number;
  minor: number;
  op: string;
  value: number;
}
export type BlkioList =
  | "io_service_bytes_recursive"
  | "io_serviced_recursive"
  | "io_queue_recursive"
  | "io_service_time_recursive"
  | "io_wait_time_recursive"
  | "io_merged_recursive"
  | "io_time_recursive"
  | "sectors_recursive";
/** One sample of `GET /containers/{id}/stats`. CPU in nanoseconds, memory in bytes. */
export interface ContainerStats {
  name: string;
  id: string;
  read: string;
  preread: string;
  num_procs: number;
  /** Without a limit, 2^64-1 on cgroup v2 and absent on v1. */
  pids_stats: { current?: number; limit?: number | bigint };
  cpu_stats: CpuStats;
  precpu_stats: CpuStats;
  memory_stats: {
    usage?: number;
    max_usage?: number;
    stats?: Record<string, number>;
    failcnt?: number;
    limit?: number;
  };
  blkio_stats: Record<BlkioList, List<BlkioStatEntry>>;
  storage_stats: Record<string, never>;
  networks?: Record<
    string,
    {
      rx_bytes: number;
      rx_packets: number;
      rx_errors: number;
      rx_dropped: number;
      tx_bytes: number;
      tx_packets: number;
      tx_errors: number;
      tx_dropped: number;
    }
  >;
}
