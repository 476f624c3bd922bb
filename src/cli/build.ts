/** Which build of the command line this is. */
import { programCommit, programVersion } from "#lib/build.ts";

/** As `version --format` shows it, beside the context. */
export const clientVersion = {
  Version: programVersion,
  ApiVersion: "1.50",
  DefaultAPIVersion: "1.50",
  GitCommit: programCommit,
  Os: "linux",
  Arch: process.arch === "x64" ? "amd64" : process.arch,
};
