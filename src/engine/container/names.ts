/** Names for containers whose users gave none: an adjective and a thing of harbours. */
import { EngineError } from "#lib/errors.ts";

const ADJECTIVES =
  "able agile amber ample azure bold brave breezy brisk bright calm clear coastal copper coral crisp daring deep eager early fair fleet foggy free fresh gentle glad golden grand hardy high idle jolly keen kind lively lucky lunar mellow merry misty neat noble northern open pale plucky polar proud quick quiet rapid ready salty sharp silent silver sleek smooth snug solar southern steady stormy sturdy sunny swift tidal tidy trusty upbeat vast warm western wild windy wise zesty".split(
    " ",
  );
const THINGS =
  "anchor albatross barge barnacle bay beacon bollard bosun bow breaker brig buoy cable canoe capstan catamaran channel clipper cove crane current cutter davit deck dinghy dock dolphin drifter ferry fjord flag frigate galley gangway gull halyard harbour hatch hawser heron hull islet jetty kayak keel ketch lagoon lantern lighthouse lugger marina mast mooring narwhal oar osprey packet pelican petrel pier pilot porpoise prow puffin quay raft reef rigging rudder sail schooner seal sextant skiff sloop sound spar starboard strait tern tide tiller trawler tug wharf winch yawl".split(
    " ",
  );

const ALLOWED = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Returns the name without its slash. Throws "invalid" with Docker's words. */
export function checkName(name: string): string {
  if (!ALLOWED.test(name)) {
    throw new EngineError("invalid", `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return name.replace(/^\//, "");
}

/** A name that `taken` does not know. */
export function inventName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(ADJECTIVES)}_${pick(THINGS)}${attempt < 6 ? "" : Math.floor(Math.random() * 10 ** (attempt - 4))}`;
    if (!taken(name)) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "berth";
}
