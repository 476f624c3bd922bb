/**
 * Keeps random requests from reaching the host: what a container could get of it is taken out of every body before it
 * is sent. The daemon under test runs in a network namespace of its own besides.
 */

/** Fields that could give a container, or a program in one, something of the host or without end. */
const forbidden: ReadonlySet<string> = new Set([
  "privileged",
  "pidmode",
  "ipcmode",
  "utsmode",
  "usernsmode",
  "cgroupnsmode",
  "networkmode",
  "capadd",
  "securityopt",
  "devices",
  "devicecgrouprules",
  "devicerequests",
  "cgroupparent",
  "sysctls",
  "binds",
  "mounts",
  "volumesfrom",
  "restartpolicy",
  "oomscoreadj",
  "oomkilldisable",
  "runtime",
  "init",
  "maskedpaths",
  "readonlypaths",
  "dockerfile",
]);

/** The values that such fields may have all the same. `folder` is a temporary one. */
function allowed(name: string, value: unknown, folder: string): boolean {
  switch (name) {
    case "binds":
      return isListOf(value, (bind) => typeof bind === "string" && bind.startsWith(`${folder}:`));
    case "mounts":
      return isListOf(value, (mount) => {
        const { Type, Source } = Object(mount) as { Type?: unknown; Source?: unknown };
        return Type === "tmpfs" || Type === "volume" || (Type === "bind" && Source === folder);
      });
    case "networkmode":
      return value === "none" || value === "bridge" || value === "default";
    case "pidmode":
    case "ipcmode":
    case "utsmode":
    case "usernsmode":
    case "cgroupnsmode":
      return value === "" || value === "private" || value === "walk";
    default:
      return value === null || value === false || value === "" || value === 0;
  }
}

function isListOf(value: unknown, test: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}

/** A copy without what is forbidden, however deep and in whatever case it stands. */
export function tame(value: unknown, folder: string): unknown {
  if (Array.isArray(value)) return value.map((item) => tame(item, folder));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, inner]) => !forbidden.has(name.toLowerCase()) || allowed(name.toLowerCase(), inner, folder))
      .map(([name, inner]) => [name, tame(inner, folder)]),
  );
}
