/** The lines of `system df`: one for each kind of object, with what could be freed. */
import type { BuildCacheRecord, DiskUsage } from "#api/types/system.ts";
import type { Headers } from "../format.ts";
import { Row } from "../template/value.ts";
import { ago, humanSize, shortId } from "../units.ts";

export const summaryHeaders: Headers = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
};

/** Bytes. */
interface Summary {
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

/** Images, containers, volumes and build cache, in this order. */
export function summaries(usage: DiskUsage): Row[] {
  const cache = buildCache(usage);
  return [
    row("Images", images(usage)),
    row("Containers", containers(usage)),
    row("Local Volumes", volumes(usage)),
    row("Build Cache", cache, false),
  ];
}

function row(type: string, { total, active, size, reclaimable }: Summary, percent = true): Row {
  const share = percent && size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : "";
  return new Row("*formatter.diskUsageContext", {
    Type: () => type,
    TotalCount: () => String(total),
    Active: () => String(active),
    Size: () => humanSize(size),
    Reclaimable: () => humanSize(reclaimable) + share,
  });
}

function images({ Images, LayersSize = 0 }: DiskUsage): Summary {
  const all = Images ?? [];
  const used = all.filter(({ Containers, Size, SharedSize }) => Containers !== 0 && Size !== -1 && SharedSize !== -1);
  return {
    total: all.length,
    active: all.filter(({ Containers }) => Containers > 0).length,
    size: LayersSize,
    reclaimable: LayersSize - sum(used.map(({ Size, SharedSize }) => Size - SharedSize)),
  };
}

function containers({ Containers }: DiskUsage): Summary {
  const all = Containers ?? [];
  const active = all.filter(({ State }) => ["running", "paused", "restarting"].includes(State));
  const size = sum(all.map(({ SizeRw = 0 }) => SizeRw));
  return {
    total: all.length,
    active: active.length,
    size,
    reclaimable: size - sum(active.map(({ SizeRw = 0 }) => SizeRw)),
  };
}

function volumes({ Volumes }: DiskUsage): Summary {
  const all = (Volumes ?? []).map(({ UsageData }) => UsageData ?? { Size: -1, RefCount: -1 });
  const known = all.filter(({ Size }) => Size !== -1);
  return {
    total: all.length,
    active: all.filter(({ RefCount }) => RefCount > 0).length,
    size: sum(known.map(({ Size }) => Size)),
    reclaimable: sum(known.filter(({ RefCount }) => RefCount === 0).map(({ Size }) => Size)),
  };
}

function buildCache({ BuildCache }: DiskUsage): Summary {
  const all = BuildCache ?? [];
  const own = all.filter(({ Shared }) => !Shared);
  const size = sum(own.map(({ Size }) => Size));
  return {
    total: all.length,
    active: all.filter(({ InUse }) => InUse).length,
    size,
    reclaimable: size - sum(own.filter(({ InUse }) => InUse).map(({ Size }) => Size)),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

export const cacheHeaders: Headers = {
  ID: "CACHE ID",
  Parent: "PARENT",
  CacheType: "CACHE TYPE",
  Size: "SIZE",
  CreatedSince: "CREATED",
  LastUsedSince: "LAST USED",
  UsageCount: "USAGE",
  Shared: "SHARED",
  InUse: "IN USE",
  Description: "DESCRIPTION",
};

export function cacheRow(record: BuildCacheRecord): Row {
  return new Row("*formatter.buildCacheContext", {
    ID: () => `${shortId(record.ID)}${record.InUse ? "*" : ""}`,
    Parent: () => (record.Parents ?? []).join(", "),
    CacheType: () => record.Type,
    Size: () => humanSize(record.Size, 3),
    CreatedSince: () => ago(Date.parse(record.CreatedAt)),
    LastUsedSince: () => (record.LastUsedAt === null ? "" : ago(Date.parse(record.LastUsedAt))),
    UsageCount: () => String(record.UsageCount),
    Shared: () => String(record.Shared),
    InUse: () => String(record.InUse),
    Description: () => record.Description,
  });
}
