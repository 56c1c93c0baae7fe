import type { TracePosition } from "../../engine/places.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { fileExists } from "../../store/read-file.ts";

/** The position that probes read if none is given. */
const OF_REASONING: TracePosition = "think-end";
/** The same for models that do not reason. */
const WITHOUT_REASONING: TracePosition = "second-to-last";

/**
 * Which position probes read if none is given: `think-end`, unless fewer than half of the traced answers have
 * reasoning that ended, since the others would have to be dropped; `second-to-last` then.
 * @param hiddenStates of the training questions; if the file is missing, the step that reads it says so
 */
export async function choosePosition(hiddenStates: string): Promise<TracePosition> {
  if (!(await fileExists(hiddenStates))) return OF_REASONING;
  const { positions, rowCount } = await openHiddenStates(hiddenStates);
  const rows = (position: TracePosition): number => (positions.includes(position) ? rowCount(position) : 0);
  return 2 * rows(OF_REASONING) < rows(WITHOUT_REASONING) ? WITHOUT_REASONING : OF_REASONING;
}
