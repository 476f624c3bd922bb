/** Parses `--security-opt`. */
import { EngineError } from "#lib/errors.ts";

export interface SecurityOptions {
  /** undefined: not given. */
  noNewPrivileges: boolean | undefined;
  /** "builtin", "unconfined", or the JSON text of a profile. undefined: not given. */
  seccomp: string | undefined;
  /** Name of a loaded profile, or "unconfined". undefined: not given. */
  apparmor: string | undefined;
  /** Neither masked nor read-only paths. */
  unconfinedPaths: boolean;
  writableCgroups: boolean | undefined;
  /** Whether the container gets clocks of its own. */
  privateTime: boolean;
  /** A mode of `--userns`, for clients that know only Docker's. undefined: not given. */
  userns: string | undefined;
  warnings: string[];
}

/** Throws kind "invalid" for unknown options and malformed values. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const parsed: SecurityOptions = {
    noNewPrivileges: undefined,
    seccomp: undefined,
    apparmor: undefined,
    unconfinedPaths: false,
    writableCgroups: undefined,
    privateTime: false,
    userns: undefined,
    warnings: [],
  };
  for (const option of options) {
    // A JSON profile may hold both separators: the first one that appears counts.
    const [, key, , value] = /^([\w-]+)(?:([=:])([^]*))?$/.exec(option) ?? [];
    switch (key) {
      case "no-new-privileges":
        parsed.noNewPrivileges = value === undefined || boolean(value, option);
        break;
      case "writable-cgroups":
        parsed.writableCgroups = value === undefined || boolean(value, option);
        break;
      case "seccomp":
        parsed.seccomp = required(value, option);
        break;
      case "apparmor":
        parsed.apparmor = required(value, option);
        break;
      case "time":
        if (value !== "private" && value !== "host") throw refuse(option);
        parsed.privateTime = value === "private";
        break;
      case "userns":
        parsed.userns = required(value, option);
        break;
      case "systempaths":
        if (value !== "unconfined") throw refuse(option);
        parsed.unconfinedPaths = true;
        break;
      case "label":
        // What --privileged and --ipc=host imply, and what there is to disable, is nothing without SELinux.
        if (required(value, option) !== "disable") {
          parsed.warnings.push(`SELinux labels are not supported: ${option} discarded.`);
        }
        break;
      default:
        throw refuse(option);
    }
  }
  return parsed;
}

function required(value: string | undefined, option: string): string {
  if (value === undefined || value === "") throw refuse(option);
  return value;
}

/** As Go's strconv.ParseBool. */
function boolean(value: string, option: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw refuse(option);
}

function refuse(option: string): EngineError {
  return new EngineError("invalid", `invalid --security-opt ${/[=:]/.test(option) ? 2 : 1}: ${JSON.stringify(option)}`);
}
