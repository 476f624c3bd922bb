/** For each endpoint one request that succeeds: all others are made by changing it. */

/** What stands for the name in the path. */
export type SubjectKind =
  | "created"
  | "running"
  | "exited"
  | "paused"
  | "tty"
  | "exec"
  | "ttyExec"
  | "network"
  | "connected"
  | "volume"
  | "image"
  | "tag";

export interface Base {
  readonly subject?: SubjectKind;
  /** The request uses its subject up: each gets one of its own. */
  readonly fresh?: true;
  readonly query?: Readonly<Record<string, string>>;
  /** `{container}` in a text stands for a running container's name. */
  readonly body?: unknown;
  /** Of a tar. */
  readonly archive?: "files" | "image";
  /** Parameters that are not varied: with any other value the request would wait for somebody. */
  readonly fixed?: readonly string[];
  /** What is expected instead of success. */
  readonly refused?: number;
}

const running = { subject: "running" } as const;
const once = { fresh: true } as const;
const change = { subject: "running", fresh: true, query: { t: "0" } } as const;

export const bases: Readonly<Record<string, Base>> = {
  "GET /containers/json": { query: { all: "1" } },
  "POST /containers/create": { body: { Image: "{image}", Cmd: ["true"] } },
  "GET /containers/{id}/json": running,
  "GET /containers/{id}/top": running,
  "GET /containers/{id}/logs": { subject: "exited", query: { stdout: "1" } },
  "GET /containers/{id}/changes": running,
  "GET /containers/{id}/export": { subject: "exited" },
  "GET /containers/{id}/stats": { subject: "running", query: { stream: "0", "one-shot": "1" }, fixed: ["stream"] },
  "POST /containers/{id}/resize": { subject: "tty", query: { h: "20", w: "70" } },
  "POST /containers/{id}/start": { subject: "created", ...once },
  "POST /containers/{id}/stop": change,
  "POST /containers/{id}/restart": change,
  "POST /containers/{id}/kill": { subject: "running", ...once, query: { signal: "KILL" } },
  "POST /containers/{id}/update": { subject: "running", body: { CpuShares: 512 } },
  "POST /containers/{id}/rename": { subject: "created", ...once, query: { name: "walk-renamed" } },
  "POST /containers/{id}/pause": { subject: "running", ...once },
  "POST /containers/{id}/unpause": { subject: "paused", ...once },
  "POST /containers/{id}/attach": { subject: "exited", query: { logs: "1", stdout: "1" }, fixed: ["stream"] },
  "GET /containers/{id}/attach/ws": {
    subject: "exited",
    query: { logs: "1", stdout: "1" },
    fixed: ["stream", "logs", "stdin", "stdout", "stderr", "detachKeys"],
    refused: 400,
  },
  "POST /containers/{id}/wait": { subject: "exited", query: { condition: "not-running" } },
  "DELETE /containers/{id}": { subject: "exited", ...once },
  "HEAD /containers/{id}/archive": { subject: "exited", query: { path: "/etc/passwd" } },
  "GET /containers/{id}/archive": { subject: "exited", query: { path: "/etc/passwd" } },
  "PUT /containers/{id}/archive": { subject: "exited", query: { path: "/tmp" }, archive: "files" },
  "POST /containers/prune": { query: { filters: '{"label":["walk-pruned"]}' } },
  "GET /images/json": {},
  "POST /build/prune": {},
  "POST /images/create": { query: { fromSrc: "-", repo: "walk-imported" }, archive: "files" },
  "GET /images/{name}/json": { subject: "image" },
  "GET /images/{name}/history": { subject: "image" },
  "POST /images/{name}/push": { subject: "image", refused: 400 },
  "POST /images/{name}/tag": { subject: "image", query: { repo: "walk-tagged", tag: "1" } },
  "DELETE /images/{name}": { subject: "tag", ...once },
  "GET /images/search": { query: { term: "" }, refused: 400 },
  "POST /images/prune": { query: { filters: '{"label":["walk-pruned"]}' } },
  "POST /auth": { body: { serveraddress: "127.0.0.1:1" }, refused: 500 },
  "GET /info": {},
  "GET /version": {},
  "GET /_ping": {},
  "HEAD /_ping": {},
  "POST /commit": { query: { container: "{container}", repo: "walk-committed", pause: "0" }, body: {} },
  "GET /events": { query: { since: "1", until: "{now}" }, fixed: ["until"] },
  "GET /system/df": {},
  "GET /images/{name}/get": { subject: "image" },
  "GET /images/get": { query: { names: "{image}" } },
  "POST /images/load": { query: { quiet: "1" }, archive: "image" },
  "POST /containers/{id}/exec": { subject: "running", body: { Cmd: ["true"] } },
  "POST /exec/{id}/start": { subject: "exec", ...once, body: { Detach: true } },
  "POST /exec/{id}/resize": { subject: "ttyExec", query: { h: "20", w: "70" } },
  "GET /exec/{id}/json": { subject: "exec" },
  "GET /volumes": {},
  "POST /volumes/create": { body: { Name: "walk-created", Labels: { a: "b" } } },
  "GET /volumes/{name}": { subject: "volume" },
  "PUT /volumes/{name}": { subject: "volume", query: { version: "1" }, body: {}, refused: 503 },
  "DELETE /volumes/{name}": { subject: "volume", ...once },
  "POST /volumes/prune": { query: { filters: '{"label":["walk-pruned"]}' } },
  "GET /networks": {},
  "GET /networks/{id}": { subject: "network" },
  "DELETE /networks/{id}": { subject: "network", ...once },
  "POST /networks/create": { body: { Name: "{new}", Labels: { a: "b" } } },
  "POST /networks/{id}/connect": { subject: "network", ...once, body: { Container: "{container}" } },
  "POST /networks/{id}/disconnect": { subject: "connected", ...once, body: { Container: "{container}", Force: true } },
  "POST /networks/prune": { query: { filters: '{"label":["walk-pruned"]}' } },
  "GET /distribution/{name}/json": { subject: "image", refused: 500 },
};
