/** Requests that no single changed parameter makes: states, names in use, versions, methods and paths. */
import type { SubjectKind } from "./bases.ts";
import { type Endpoint, endpoints, nameOf } from "./reference.ts";
import type { WalkRequest } from "./requests.ts";

type Changes = Partial<Omit<WalkRequest, "endpoint" | "title" | "query" | "body">> & {
  query?: Record<string, string>;
  body?: unknown;
};

function extra(name: string, title: string, changes: Changes): WalkRequest {
  const [method = "", path = ""] = name.split(" ");
  const endpoint: Endpoint = endpoints.find((one) => nameOf(one) === name) ?? { method, path, query: {}, status: [] };
  const { query = {}, body, ...rest } = changes;
  return {
    endpoint,
    title,
    fresh: false,
    valid: false,
    query: new URLSearchParams(query).toString(),
    ...(body !== undefined && { body: JSON.stringify(body), contentType: "application/json" }),
    ...rest,
  };
}

const states: readonly SubjectKind[] = ["created", "running", "exited", "paused"];
const inEveryState: readonly (readonly [name: string, query: Record<string, string>])[] = [
  ["POST /containers/{id}/start", {}],
  ["POST /containers/{id}/stop", { t: "0" }],
  ["POST /containers/{id}/restart", { t: "0" }],
  ["POST /containers/{id}/kill", {}],
  ["POST /containers/{id}/pause", {}],
  ["POST /containers/{id}/unpause", {}],
  ["DELETE /containers/{id}", {}],
  ["DELETE /containers/{id}", { force: "1", v: "1" }],
  ["POST /containers/{id}/resize", { h: "10", w: "10" }],
  ["GET /containers/{id}/top", {}],
  ["GET /containers/{id}/changes", {}],
  ["GET /containers/{id}/logs", { stdout: "1", tail: "1" }],
  ["GET /containers/{id}/json", { size: "1" }],
];

const created = (title: string, body: object, query: Record<string, string> = {}): WalkRequest =>
  extra("POST /containers/create", title, { query, body: { Image: "{image}", ...body } });

export function extraRequests(): WalkRequest[] {
  return [
    ...inEveryState.flatMap(([name, query]) =>
      states.map((subject) => {
        const how = Object.keys(query).join("+");
        return extra(name, `${subject}${how === "" ? "" : `, ${how}`}`, { subject, fresh: true, query });
      }),
    ),
    ...states.map((subject) =>
      extra("POST /containers/{id}/exec", subject, { subject, fresh: true, body: { Cmd: ["true"] } }),
    ),
    extra("POST /containers/{id}/exec", "no command", { subject: "running", body: { AttachStdout: true } }),
    extra("POST /containers/{id}/exec", "bad detach keys", {
      subject: "running",
      body: { Cmd: ["true"], DetachKeys: "ctrl-walk" },
    }),
    ...["0", "65", "SIGWALK", "SIGKILL", "9", "-1", "hup"].map((signal) =>
      extra("POST /containers/{id}/kill", `signal ${signal}`, { subject: "running", fresh: true, query: { signal } }),
    ),
    extra("POST /containers/{id}/rename", "to a name in use", { subject: "created", query: { name: "walk-taken" } }),
    extra("POST /containers/{id}/wait", "bad condition", { subject: "exited", query: { condition: "walk" } }),
    extra("GET /containers/{id}/archive", "absent path", { subject: "exited", query: { path: "/walk" } }),
    extra("PUT /containers/{id}/archive", "into a file", {
      subject: "exited",
      query: { path: "/etc/passwd" },
      archive: "files",
    }),
    extra("PUT /containers/{id}/archive", "no archive", {
      subject: "exited",
      query: { path: "/tmp" },
      body: "walk",
    }),
    created("a name in use", {}, { name: "walk-taken" }),
    created("a bad name", {}, { name: "-walk" }),
    created("a bad platform", {}, { platform: "walk/walk/walk/walk" }),
    created("another platform", {}, { platform: "linux/s390x" }),
    created("an unknown image", { Image: "walk-nothing:1" }),
    created("a bad image name", { Image: "Walk Nothing" }),
    created("no image", { Image: "" }),
    created("a relative working directory", { WorkingDir: "walk" }),
    created("a bad variable", { Env: ["=walk"] }),
    created("a bad stop signal", { StopSignal: "WALK" }),
    created("a bad port", { ExposedPorts: { "walk/tcp": {} } }),
    created("a bad protocol", { ExposedPorts: { "80/walk": {} } }),
    ...(
      [
        ["too little memory", { Memory: 1000 }],
        ["swap without memory", { MemorySwap: 1 << 30 }],
        ["negative CPUs", { NanoCpus: -1 }],
        ["more CPUs than there are", { NanoCpus: 1_000_000_000_000 }],
        ["CPUs and a quota", { NanoCpus: 1_000_000_000, CpuQuota: 50_000 }],
        ["a bad CPU set", { CpusetCpus: "walk" }],
        ["a CPU set that is not there", { CpusetCpus: "900" }],
        ["a bad weight", { BlkioWeight: 7 }],
        ["a bad restart policy", { RestartPolicy: { Name: "walk" } }],
        ["retries of always", { RestartPolicy: { Name: "always", MaximumRetryCount: 3 } }],
        ["rm and restart", { AutoRemove: true, RestartPolicy: { Name: "always" } }],
        ["a bad bind", { Binds: ["walk"] }],
        ["a relative bind target", { Binds: ["/walk:walk"] }],
        ["a bad bind mode", { Binds: ["/walk:/walk:walk"] }],
        ["a bad mount type", { Mounts: [{ Type: "walk", Target: "/walk" }] }],
        ["a mount without a target", { Mounts: [{ Type: "volume", Source: "walk" }] }],
        ["two mounts at one place", { Mounts: ["a", "b"].map(() => ({ Type: "tmpfs", Target: "/walk" })) }],
        ["a bad tmpfs option", { Tmpfs: { "/walk": "walk=1" } }],
        ["a bad network", { NetworkMode: "container:walk-nobody" }],
        ["a bad IPC mode", { IpcMode: "walk" }],
        ["a bad PID mode", { PidMode: "walk" }],
        ["a bad UTS mode", { UTSMode: "walk" }],
        ["a bad user namespace", { UsernsMode: "walk" }],
        ["a bad cgroup namespace", { CgroupnsMode: "walk" }],
        ["a bad capability", { CapAdd: ["WALK"] }],
        ["a bad security option", { SecurityOpt: ["walk"] }],
        ["a bad ulimit", { Ulimits: [{ Name: "nofile", Soft: 9, Hard: 1 }] }],
        ["a bad extra host", { ExtraHosts: ["walk"] }],
        ["a bad DNS server", { Dns: ["walk"] }],
        ["a bad log driver", { LogConfig: { Type: "walk" } }],
        ["a bad log option", { LogConfig: { Type: "json-file", Config: { walk: "1" } } }],
        ["a bad runtime", { Runtime: "walk" }],
        ["a bad OOM score", { OomScoreAdj: 2000 }],
        ["a negative shared memory", { ShmSize: -1 }],
        ["a bad port binding", { PortBindings: { "80/tcp": [{ HostPort: "walk" }] } }],
        ["a bad host address", { PortBindings: { "80/tcp": [{ HostIp: "walk", HostPort: "0" }] } }],
        ["a bad device rule", { DeviceCgroupRules: ["walk"] }],
        ["a bad isolation", { Isolation: "walk" }],
      ] as const
    ).map(([title, HostConfig]) => created(title, { HostConfig })),
    extra("POST /networks/create", "a name in use", { body: { Name: "bridge" } }),
    extra("POST /networks/create", "no name", { body: {} }),
    extra("POST /networks/create", "a bad driver", { body: { Name: "walk-driver", Driver: "walk" } }),
    extra("POST /networks/create", "a bad subnet", {
      body: { Name: "walk-subnet", IPAM: { Config: [{ Subnet: "walk" }] } },
    }),
    extra("DELETE /networks/{id}", "a predefined one", { name: "bridge" }),
    extra("POST /networks/{id}/connect", "an unknown container", {
      subject: "network",
      body: { Container: "walk-nobody" },
    }),
    extra("POST /networks/{id}/disconnect", "a container that is not connected", {
      subject: "network",
      body: { Container: "{container}" },
    }),
    extra("POST /volumes/create", "a bad name", { body: { Name: "walk/walk" } }),
    extra("POST /volumes/create", "a bad driver", { body: { Name: "walk-driver", Driver: "walk" } }),
    extra("DELETE /volumes/{name}", "one in use", { name: "walk-used" }),
    extra("DELETE /images/{name}", "one in use", { subject: "image" }),
    extra("GET /system/df", "a bad type", { query: { type: "walk" } }),
    extra("POST /commit", "no container", {}),
    extra("GET /containers/json", "before an unknown container", { query: { filters: '{"before":["walk-nobody"]}' } }),
    extra("GET /containers/json", "a bad status", { query: { filters: '{"status":["walk"]}' } }),
    extra("GET /info", "too old a version", { version: "1.10" }),
    extra("GET /info", "too new a version", { version: "9.99" }),
    extra("GET /info", "no version at all", { version: "walk" }),
    extra("GET /walk", "unknown path", {}),
    extra("POST /info", "another method", {}),
    extra("PATCH /containers/json", "an unknown method", {}),
    extra("HEAD /containers/json", "HEAD", {}),
    extra("HEAD /info", "HEAD", {}),
    extra("GET /containers/json/", "a slash at the end", {}),
    extra("OPTIONS /containers/json", "OPTIONS", {}),
  ];
}
