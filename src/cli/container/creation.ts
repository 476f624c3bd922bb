/** Creates a container from the options of `run` or `create`: pulls what is missing, keeps the id file. */
import { openSync, closeSync, statSync, unlinkSync, writeSync } from "node:fs";
import type { ContainerCreateBody, ContainerCreateResponse } from "#api/types/container-config.ts";
import { errorMessage } from "#lib/errors.ts";
import { DaemonError } from "../connection.ts";
import { ExitError } from "../errors.ts";
import type { Parsed } from "../flags.ts";
import { createBody } from "./config.ts";
import type { containerFlags, creationFlags } from "./options.ts";
import { openError } from "./option-checks.ts";
import type { Session } from "../session.ts";

export type CreationOptions = Parsed<typeof containerFlags & typeof creationFlags>;

const helpHint = (verb: string) => `\n\nRun 'berth ${verb} --help' for more information`;

/** The body for a command line; rejects what cannot be meant. Throws ExitError. */
export function bodyOf(verb: string, parsed: CreationOptions): ContainerCreateBody {
  const [image = "", ...command] = parsed.args;
  const { pull } = parsed.flags;
  try {
    if (!["always", "missing", "never"].includes(pull))
      throw new Error(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
    if (parsed.flags["use-api-socket"]) throw new Error("--use-api-socket is not available yet");
    if (!parsed.flags["disable-content-trust"]) throw new Error("content trust is not available");
    return createBody(parsed, image, command);
  } catch (error) {
    throw new ExitError(125, `berth: ${errorMessage(error)}${helpHint(verb)}`, { cause: error });
  }
}

/** A failure of the daemon as `run` and `create` report it, with the exit code that says what failed. */
export function runFailure(verb: string, error: unknown): unknown {
  if (error instanceof ExitError && error.code !== 1) return error;
  // The reader of our output has left: that is no failure of the container.
  if ((error as NodeJS.ErrnoException).code === "EPIPE") return error;
  const message = errorMessage(error);
  let code = 125;
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(message))
    code = 127;
  else if (/permission denied|is a directory/.test(message) && error instanceof DaemonError) code = 126;
  return new ExitError(code, `berth: ${message}${helpHint(verb)}`, { cause: error });
}

/** Creates the container and resolves with its id. Warnings go to stderr. Rejects as the daemon does. */
export async function createContainer(
  session: Session,
  { flags }: CreationOptions,
  body: ContainerCreateBody,
): Promise<string> {
  using idFile = flags.cidfile ? new IdFile(flags.cidfile) : undefined;
  const image = body.Image ?? "";
  await checkNames(image, flags.platform);
  if (flags.pull === "always") await pull(session, image, flags);
  const created = await create(session, flags, body);
  for (const warning of created.Warnings ?? []) session.err.line(`WARNING: ${warning}`);
  idFile?.write(created.Id);
  return created.Id;
}

/** Refuses what cannot be the name of an image or a platform; most need no parser to be seen as good. */
async function checkNames(image: string, platform: string): Promise<void> {
  if (!/^[a-z0-9]+(?:[._-][a-z0-9]+)*(?::[\w][\w.-]*)?$/.test(image)) {
    const { parseReference } = await import("#oci/reference.ts");
    parseReference(image);
  }
  if (platform === "") return;
  const { parsePlatform } = await import("#oci/platform.ts");
  try {
    parsePlatform(platform);
  } catch (error) {
    throw new Error(`error parsing specified platform: ${errorMessage(error)}`, { cause: error });
  }
}

async function create(
  session: Session,
  flags: CreationOptions["flags"],
  body: ContainerCreateBody,
): Promise<ContainerCreateResponse> {
  const attempt = () =>
    session.daemon.json<ContainerCreateResponse>("POST", "/containers/create", {
      query: {
        name: flags.name || undefined,
        platform: flags.platform || session.env["DOCKER_DEFAULT_PLATFORM"] || undefined,
      },
      body,
    });
  try {
    return await attempt();
  } catch (error) {
    const missing =
      error instanceof DaemonError && error.status === 404 && /no such image|specified platform/i.test(error.message);
    if (!missing || flags.pull !== "missing") throw error;
    if (!flags.quiet) {
      const { familiarReference, parseReference, withDefaultTag } = await import("#oci/reference.ts");
      session.err.line(
        `Unable to find image '${familiarReference(withDefaultTag(parseReference(body.Image ?? "")))}' locally`,
      );
    }
    await pull(session, body.Image ?? "", flags);
    return attempt();
  }
}

async function pull(session: Session, image: string, { platform, quiet }: CreationOptions["flags"]): Promise<void> {
  const { pullImage } = await import("../image/pulling.ts");
  await pullImage(session, image, { platform, ...(quiet ? {} : { output: session.err }) });
}

/** `--cidfile`: must not exist yet, and is removed again unless an id was written. */
class IdFile implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  #written = false;

  constructor(path: string) {
    if (statSync(path, { throwIfNoEntry: false })) {
      throw new Error(`container ID file found, make sure the other container isn't running or delete ${path}`);
    }
    this.#path = path;
    try {
      this.#fd = openSync(path, "wx");
    } catch (error) {
      throw new Error(`failed to create the container ID file: ${openError(path, error)}`, { cause: error });
    }
  }

  write(id: string): void {
    writeSync(this.#fd, id);
    this.#written = true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    if (!this.#written) unlinkSync(this.#path);
  }
}
