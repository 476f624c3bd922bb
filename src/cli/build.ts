/** Which build of the command line this is. */
import packageFile from "../../package.json" with { type: "json" };

const commit = process.env.BERTH_COMMIT ?? "source";

/** As `version --format` shows it. */
export const clientVersion = {
  Version: packageFile.version,
  ApiVersion: "1.50",
  GitCommit: commit,
  Os: "linux",
  Arch: process.arch === "x64" ? "amd64" : process.arch,
};

/** Of `berth --version`. */
export const versionLine = `Berth version ${packageFile.version}, build ${commit}`;
