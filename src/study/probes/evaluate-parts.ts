import { chooseExamples } from "../../evaluation/choose-examples.ts";
import { evaluateUnits, type UnitRows } from "../../evaluation/evaluate-units.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { runKey } from "../../samples/samples.ts";
import { readStateRowIndex } from "../../states/state-index.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import type { Workspace } from "../workspace.ts";
import type { ScoredSplit } from "./score-study.ts";

/** The accuracy probe on rows that are parts of answers. */
export async function evaluateParts(
  workspace: Workspace,
  scored: readonly ScoredSplit[],
  settings: ProbeEval["settings"],
): Promise<Pick<ProbeEval, "units">> {
  const { label, position, spans } = scored[0]!.dataset;
  if (spans === undefined) return {};
  const rowsOf = ({ dataset, scores }: ScoredSplit): UnitRows => ({
    ...dataset,
    spans: dataset.spans!,
    scores: scores.byName.accuracy_probe,
    labels: scores.incorrect,
  });
  const held = scored.filter(({ split }) => split !== "math_val");
  const splits = held.map((each) => [each.split, evaluateUnits(rowsOf(each), settings)] as const);
  const test = held.find(({ split }) => split === "math_test")!;
  const textOf = await readUnitTexts(workspace, test.dataset);
  const examples = chooseExamples(rowsOf(test), textOf);
  return { units: { label, position, splits: Object.fromEntries(splits), examples } };
}

/** The text of each row of a data set of the first question set. */
async function readUnitTexts(
  workspace: Workspace,
  { position, questionIds, runIds, spans }: ProbeDataset,
): Promise<(row: number) => string> {
  const index = await readStateRowIndex(workspace.hiddenStatesIndex("math"));
  const { runs } = await readRuns(await tracedAnswersPath(workspace, "math"));
  const texts = new Map(runs.map((run) => [runKey(run.question_id, run.run_id), run.output_text]));
  return (row) => {
    const [question, run] = [questionIds[row]!, runIds[row]!];
    const unit = index
      .unitsOf(position, question, run)
      .find((each) => each?.span[0] === spans![2 * row] && each?.span[1] === spans![2 * row + 1]);
    const [start, end] = unit?.textSpan ?? [0, 0];
    return unit?.text ?? texts.get(runKey(question, run))?.slice(start, end) ?? "";
  };
}
