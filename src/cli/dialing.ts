/** Joins two plain streams with a daemon's socket: `system dial-stdio`. */
import type { Endpoint } from "./hijacked.ts";
import { tlsOptions } from "./tls.ts";

/**
 * Passes `input` to the daemon and what it answers to `output`, each to its own end. Resolves when the daemon has
 * ended its side. Rejects with the system's error where it cannot be reached.
 */
export async function dial(
  endpoint: Endpoint,
  input: AsyncIterable<Uint8Array>,
  output: (chunk: Uint8Array) => void,
): Promise<void> {
  const over = Promise.withResolvers<void>();
  let room: PromiseWithResolvers<void> | undefined;
  const state = { open: true };
  const drained = (): void => {
    room?.resolve();
    room = undefined;
  };
  const end = (): void => {
    state.open = false;
    drained();
    over.resolve();
  };
  const socket: Bun.SocketHandler = { data: (_, chunk) => output(chunk), drain: drained, end, close: end, error: end };
  const connection = await ("unix" in endpoint
    ? Bun.connect({ unix: endpoint.unix, allowHalfOpen: true, socket })
    : Bun.connect({
        hostname: endpoint.hostname,
        port: endpoint.port,
        allowHalfOpen: true,
        socket,
        ...(endpoint.tls && { tls: { ...tlsOptions(endpoint.tls), serverName: endpoint.hostname } }),
      }));
  const send = async (): Promise<void> => {
    for await (const chunk of input) {
      for (let rest = chunk; rest.length > 0 && state.open;) {
        rest = rest.subarray(Math.max(0, connection.write(rest)));
        if (rest.length > 0) await (room ??= Promise.withResolvers<void>()).promise;
      }
      if (!state.open) return;
    }
    connection.shutdown();
  };
  void send();
  await over.promise;
  connection.end();
}
