/** Wire objects of `/exec` (Engine API v1.50). */
import type { List, Nullable } from "./container-config.ts";

/** What the edge makes of the body of `POST /containers/{id}/exec`. */
export interface ExecConfig {
  User: string;
  Privileged: boolean;
  Tty: boolean;
  /** Height, width. */
  ConsoleSize: [number, number] | null;
  AttachStdin: boolean;
  AttachStderr: boolean;
  AttachStdout: boolean;
  /** Empty: the daemon's default, `ctrl-p,ctrl-q`. */
  DetachKeys: string;
  Env: List<string>;
  WorkingDir: string;
  Cmd: string[];
}
export type ExecCreateBody = Nullable<Partial<ExecConfig>> & { Cmd: string[] };
export interface ExecCreateResponse {
  Id: string;
}

/** Body of `POST /exec/{id}/start`. */
export interface ExecStartBody {
  Detach?: boolean;
  Tty?: boolean;
  ConsoleSize?: [number, number] | null;
}

/** Answer of `GET /exec/{id}/json`. */
export interface ExecInspect {
  ID: string;
  Running: boolean;
  /** null until it ended. */
  ExitCode: number | null;
  ProcessConfig: {
    tty: boolean;
    entrypoint: string;
    arguments: string[];
    privileged?: boolean;
    user?: string;
  };
  OpenStdin: boolean;
  OpenStderr: boolean;
  OpenStdout: boolean;
  CanRemove: boolean;
  ContainerID: string;
  DetachKeys: string;
  Pid: number;
}
