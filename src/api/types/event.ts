/** Wire object of `GET /events` (Engine API v1.50). */
import type { StringMap } from "./container.ts";

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
  /** Unix nanoseconds: beyond 2^53, so exact only to about 200 ns once a JSON number. */
  timeNano: number;
  /** Action, id and image name as clients before 1.22 read them; container and image events only. */
  status?: string;
  id?: string;
  from?: string;
}
