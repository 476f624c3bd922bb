/** Wire object of `GET /events` (Engine API v1.50). */
import type { StringMap } from "./container-config.ts";

export type EventType =
  | "builder"
  | "config"
  | "container"
  | "daemon"
  | "image"
  | "network"
  | "node"
  | "plugin"
  | "secret"
  | "service"
  | "volume";

export interface EventMessage {
  Type: EventType;
  Action: string;
  Actor: { ID: string; Attributes: StringMap };
  scope: "local" | "swarm";
  /** Unix seconds. */
  time: number;
  /** Unix nanoseconds: beyond 2^53, so exact as a bigint only; as a number it was rounded by a JSON parser. */
  timeNano: bigint | number;
  /** Action, id and image name as clients before 1.22 read them; container and image events only. */
  status?: string;
  id?: string;
  from?: string;
}

/** The JSON of an event as it goes over the wire, with all digits of its time. */
export function eventJson({ timeNano, ...event }: EventMessage): string {
  return `${JSON.stringify(event).slice(0, -1)},"timeNano":${timeNano}}`;
}
