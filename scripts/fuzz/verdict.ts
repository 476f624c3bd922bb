/** What a daemon may do with a request, however bad. */
import { nameOf } from "../api-walk/reference.ts";
import type { WalkRequest } from "../api-walk/requests.ts";
import type { Reaction } from "./client.ts";
import type { Message } from "./message.ts";

/** They answer when something has happened. */
const WAITING = /^POST \/containers\/\{id\}\/(stop|restart|wait)$/;

/** Failures that are told with 500 as Docker tells them: the runtime's own, and a link that is the container's name. */
const TOLD = /OCI runtime|failed to create task|cannot remove the default link name/;

/** Undefined, or what is wrong. */
export function acceptable(request: WalkRequest, message: Message, reaction: Reaction): string | undefined {
  const { statuses, how } = reaction;
  if (how === "garbled") return `no HTTP: ${JSON.stringify(reaction.message)}`;
  if (how === "silent") return WAITING.test(nameOf(request.endpoint)) ? undefined : "no answer";
  if (how === "ended" && message.sound && message.ending === "wait") return "closed without an answer";
  const failed = statuses.find((status) => status >= 500 && status !== 501 && status !== 503);
  if (failed !== undefined && !TOLD.test(reaction.message)) return `status ${failed}: ${reaction.message}`;
  return undefined;
}
