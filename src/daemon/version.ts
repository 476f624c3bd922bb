/** Which build this is. */
import packageFile from "../../package.json" with { type: "json" };

export const version: string = packageFile.version;

/** Short hash, put in by the build; "source" where the program runs from its sources. */
export const gitCommit: string = process.env.BERTH_COMMIT ?? "source";
