/** Endpoints of Docker's API behind which there is nothing here, answered so that clients and people know why. */
import type { ErrorKind } from "#lib/errors.ts";
import { EngineError } from "#lib/errors.ts";
import type { ApiRouter } from "../api.ts";

/** What Docker's daemon says first, and what scripts look for. */
const NO_SWARM = "This node is not a swarm manager. Swarm mode is not supported.";
const NO_PLUGINS = "plugins are not supported";
const NO_BUILDS = "building images is not supported yet";
const NO_CHECKPOINTS = "checkpoints are not supported";

const refusals: readonly (readonly [methods: string, path: string, kind: ErrorKind, message: string])[] = [
  ["GET", "/swarm", "unavailable", NO_SWARM],
  ["GET", "/swarm/unlockkey", "unavailable", NO_SWARM],
  ["POST", "/swarm/{action}", "not-implemented", "swarm mode is not supported"],
  ...["services", "nodes", "tasks", "secrets", "configs"].flatMap(
    (kind) =>
      [
        ["GET", `/${kind}`, "unavailable", NO_SWARM],
        ["POST", `/${kind}/create`, "unavailable", NO_SWARM],
        ["GET DELETE", `/${kind}/{id}`, "unavailable", NO_SWARM],
        ["GET", `/${kind}/{id}/logs`, "unavailable", NO_SWARM],
        ["POST", `/${kind}/{id}/update`, "unavailable", NO_SWARM],
      ] as const,
  ),
  ["GET", "/plugins/privileges", "not-implemented", NO_PLUGINS],
  ["POST", "/plugins/{rest:.*}", "not-implemented", NO_PLUGINS],
  ["DELETE", "/plugins/{rest:.*}", "not-implemented", NO_PLUGINS],
  ["POST", "/build", "not-implemented", NO_BUILDS],
  ["POST", "/build/{action}", "not-implemented", NO_BUILDS],
  ["POST", "/session", "not-implemented", NO_BUILDS],
  ["POST", "/grpc", "not-implemented", NO_BUILDS],
  ["PUT", "/volumes/{name}", "unavailable", "volume update only valid for cluster volumes, but swarm is unavailable"],
  ["GET POST", "/containers/{id}/checkpoints", "not-implemented", NO_CHECKPOINTS],
  ["DELETE", "/containers/{id}/checkpoints/{checkpoint}", "not-implemented", NO_CHECKPOINTS],
];

/** Add them last: the first route that fits wins. */
export function addUnsupportedRoutes(router: ApiRouter): void {
  // None are installed.
  router.add("GET", "/plugins", (exchange) => exchange.json(200, []));
  router.add("GET", "/plugins/{name:.*}/json", (exchange) => {
    throw new EngineError("not-found", `plugin ${JSON.stringify(exchange.param("name"))} not found`);
  });
  for (const [methods, path, kind, message] of refusals) {
    for (const method of methods.split(" ")) {
      router.add(method, path, () => {
        throw new EngineError(kind, message);
      });
    }
  }
}
