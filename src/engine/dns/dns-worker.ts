/** The thread that answers the DNS queries of all containers. It blocks in epoll, so that an idle one costs nothing. */
// No node: imports here: they would double what the thread takes of memory.
import { DnsLoop } from "./loop.ts";
import type { DnsReport, DnsRequest } from "./protocol.ts";

declare const self: Worker;

const loop = new DnsLoop((message: DnsReport) => postMessage(message));

self.addEventListener("message", ({ data }: MessageEvent<DnsRequest | { wake: number }>) => {
  if ("wake" in data) void loop.run(data.wake);
  else loop.deliver(data);
});
