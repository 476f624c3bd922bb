/** Which build of Berth this is: scripts/build.ts puts both values in. */

export const programVersion: string = process.env.BERTH_VERSION ?? "0.1.0";

/** Short hash; "source" where the program runs from its sources. */
export const programCommit: string = process.env.BERTH_COMMIT ?? "source";
