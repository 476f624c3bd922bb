/** `--log-opt tag`: a text with fields of the container in it, as Docker's templates of log tags. */
import { hostname } from "node:os";
import { EngineError } from "#lib/errors.ts";

/** What a tag can tell of a container. */
export interface TagSubject {
  id: string;
  /** Without the slash. */
  name: string;
  imageId: string;
  /** As the user named it. */
  imageName: string;
  command: readonly string[];
}

const SHORT = 12;

const FIELDS: Readonly<Record<string, (subject: TagSubject) => string>> = {
  ID: ({ id }) => id.slice(0, SHORT),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => imageId.replace(/^[^:]*:/, "").slice(0, SHORT),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ imageName }) => imageName,
  Command: ({ command }) => command.join(" "),
  Hostname: () => hostname(),
  ContainerID: ({ id }) => id,
  ContainerName: ({ name }) => `/${name}`,
  ContainerImageID: ({ imageId }) => imageId,
  ContainerImageName: ({ imageName }) => imageName,
  DaemonName: () => "docker",
};

/** Throws "invalid" for what is no field; of Go's templates nothing but fields is understood. */
export function logTag(template: string, subject: TagSubject): string {
  return template.replaceAll(/\{\{(.*?)\}\}/gs, (_, inside: string) => {
    const field = /^-?\s*\.(\w+)\s*-?$/.exec(inside)?.[1];
    const read = field !== undefined && Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
    if (read !== undefined) return read(subject);
    const known = Object.keys(FIELDS).join(", ");
    throw new EngineError("invalid", `cannot use the log tag ${JSON.stringify(template)}: the fields are ${known}`);
  });
}
