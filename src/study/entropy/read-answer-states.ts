import { openHiddenStates } from "../../states/hidden-states.ts";
import { readStateRowIndex } from "../../states/state-index.ts";
import { fileExists } from "../../store/read-file.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

/** Where the traced states of a set are: both files that `readAnswerStates` reads. */
export async function findAnswerStates(workspace: Workspace, set: DataSetName): Promise<readonly string[]> {
  const paths = [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)];
  const there = await Promise.all(paths.map(fileExists));
  return there.every(Boolean) ? paths : [];
}

/**
 * One hidden state an answer, for EigenScore: of the last token before the end token, at the traced layer nearest to
 * the middle of the model.
 * @returns by question and runs; null for a question of which an answer was not traced there
 * @throws SepError `bad-artefact`
 */
export async function readAnswerStates(
  workspace: Workspace,
  set: DataSetName,
): Promise<(questionId: string, runIds: readonly number[]) => Promise<readonly Float32Array[] | null>> {
  const states = await openHiddenStates(workspace.hiddenStates(set));
  const index = await readStateRowIndex(workspace.hiddenStatesIndex(set));
  const middle = states.layers.at(-1)! / 2;
  const layer = states.layers.reduce((best, each) =>
    Math.abs(each - middle) < Math.abs(best - middle) ? each : best,
  );
  return async (questionId, runIds) => {
    // rows of best answers have the run ids of samples
    if (!states.positions.includes(POSITION) || states.metadata.answers === "best") return null;
    const rows = runIds.map((runId) => index.rowOf(POSITION, questionId, runId));
    if (rows.includes(-1)) return null;
    const flat = await states.read(POSITION, layer, rows);
    return rows.map((_, i) => flat.subarray(i * states.width, (i + 1) * states.width));
  };
}

/** As INSIDE has it: where the answer has been said and its end not yet. */
const POSITION = "second-to-last";
