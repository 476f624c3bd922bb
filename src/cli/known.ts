/** Names that the daemon knows, for the shell to propose. */
import type { ContainerSummary } from "#api/types/container.ts";
import type { ImageSummary } from "#api/types/image.ts";
import type { NetworkInspect } from "#api/types/network.ts";
import type { VolumeListResponse } from "#api/types/volume.ts";
import type { Connection } from "./connection.ts";
import type { Completion } from "./flags.ts";

export interface Name {
  readonly word: string;
  readonly about?: string;
}

/** Rejects where the daemon cannot be reached. */
export async function known(
  daemon: Connection,
  kind: Exclude<Completion, readonly string[] | "files" | "contexts">,
): Promise<Name[]> {
  switch (kind) {
    case "images":
      return (await daemon.json<ImageSummary[]>("GET", "/images/json"))
        .flatMap(({ RepoTags }) => RepoTags ?? [])
        .filter((tag) => tag !== "<none>:<none>")
        .map((word) => ({ word }));
    case "networks":
      return (await daemon.json<NetworkInspect[]>("GET", "/networks")).map(({ Name, Driver }) => ({
        word: Name,
        about: Driver,
      }));
    case "volumes":
      return (await daemon.json<VolumeListResponse>("GET", "/volumes")).Volumes.map(({ Name }) => ({ word: Name }));
    case "containers":
    case "running":
    case "stopped": {
      const all = await daemon.json<ContainerSummary[]>("GET", "/containers/json", {
        query: { all: kind !== "running" },
      });
      return all
        .filter(({ State }) => kind !== "stopped" || !["running", "paused", "restarting"].includes(State))
        .flatMap(({ Names, Image, Status }) =>
          Names.map((name) => ({ word: name.slice(1), about: `${Image}, ${Status}` })).filter(
            ({ word }) => !word.includes("/"),
          ),
        );
    }
    default: {
      const never: never = kind;
      return never;
    }
  }
}
