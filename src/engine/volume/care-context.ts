/** What the work on whole volumes needs of the engine. */
import type { EngineContext } from "#engine/container/context.ts";
import type { Trash } from "#store/trash.ts";
import type { VolumeCareJournal } from "./care-journal.ts";
import type { EmitVolumeEvent } from "./service.ts";

export interface CareContext {
  readonly engine: EngineContext;
  readonly volumes: EngineContext["volumes"];
  readonly containers: EngineContext["containers"];
  readonly layout: EngineContext["layout"];
  readonly journal: VolumeCareJournal;
  readonly trash: Trash;
  readonly emit: EmitVolumeEvent;
}
