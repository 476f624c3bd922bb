/** How slow the machine is that tests run on. */

/** Stretches every limit of the tests: BERTH_TEST_PATIENCE, for machines that are slow by nature. */
export const patience = Number(process.env["BERTH_TEST_PATIENCE"] ?? 1);
