/** Entry of the helper where the program runs from source: nothing of the CLI is loaded for it. */
import { runHelper } from "./helper.ts";

if (import.meta.main) process.exit(await runHelper(process.argv.slice(2)));
