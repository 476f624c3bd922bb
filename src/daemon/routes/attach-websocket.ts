/** `GET /containers/{id}/attach/ws`: the streams of a container for programs that speak WebSocket only, as browsers do. */
import type { HijackedConnection } from "#lib/http/hijack.ts";
import { FrameDecoder } from "#lib/http/stdcopy.ts";
import { acceptWebSocket, WebSocketConnection } from "#lib/http/websocket.ts";
import { BINARY, TEXT } from "#lib/http/websocket-frames.ts";
import { type ApiRouter, compareVersions } from "../api.ts";
import type { ContainerStreamBackend } from "./containers.ts";

/** Output of both streams comes unframed and mixed, as Docker sends it. */
export function addAttachWebSocket(router: ApiRouter, backend: Pick<ContainerStreamBackend, "attach">): void {
  router.add("GET", "/containers/{id}/attach/ws", async (exchange) => {
    const { query, request, response, version } = exchange;
    const detachKeys = query.optional("detachKeys");
    // Which streams is asked since 1.42; frames are binary since 1.28.
    const all = compareVersions(version, "1.42") < 0;
    const opcode = compareVersions(version, "1.28") < 0 ? TEXT : BINARY;
    await backend.attach(
      exchange.param("id"),
      {
        logs: query.flag("logs"),
        stream: query.flag("stream"),
        stdin: all || query.flag("stdin"),
        stdout: all || query.flag("stdout"),
        stderr: all || query.flag("stderr"),
        ...(detachKeys !== undefined && { detachKeys }),
      },
      ({ tty }) => {
        // Not before the container is known: its absence is the first thing to tell.
        acceptWebSocket(request, response);
        const connection = new WebSocketConnection(response.hijack(), opcode);
        return tty ? connection : unframed(connection);
      },
    );
  });
}

/** Takes the frames that tell stdout from stderr off what is written. */
function unframed(connection: HijackedConnection): HijackedConnection {
  const decoder = new FrameDecoder();
  return {
    readable: connection.readable,
    write: (chunk) => {
      const payloads: Uint8Array[] = [];
      decoder.push(chunk, (_, payload) => payloads.push(payload));
      const [first, ...rest] = payloads;
      if (first === undefined) return true;
      return connection.write(rest.length === 0 ? first : Buffer.concat(payloads));
    },
    end: () => connection.end(),
    destroy: () => connection.destroy(),
    closed: connection.closed,
  };
}
