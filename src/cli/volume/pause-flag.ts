/** `--pause` of what reads a whole volume. */
import { bool } from "../kinds.ts";

export const pauseFlag = bool("Pause the containers that use the volume meanwhile");
