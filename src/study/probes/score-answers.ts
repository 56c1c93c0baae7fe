import { scoreBaselines } from "../../evaluation/baseline-scores.ts";
import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../../evaluation/probe-eval.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { readProbeDataset } from "../probe-files.ts";
import type { Workspace } from "../workspace.ts";
import { readStudyAnswers, type StudyAnswers } from "./read-answers.ts";
import { hasOodSplit, type ScoredStudy, scoreStudy } from "./score-study.ts";

/** A trained study with every score of its held-out answers, those without hidden states included. */
export interface ScoredAnswers {
  readonly study: ScoredStudy;
  readonly train: ProbeDataset;
  readonly answers: Readonly<Record<"math", StudyAnswers> & Record<"ood", StudyAnswers | null>>;
  readonly scored: readonly {
    readonly split: EvaluatedSplit;
    readonly dataset: ProbeDataset;
    readonly scores: SplitScores;
  }[];
}

/**
 * Reads a trained study and scores its held-out answers by every score.
 * @param seed of the folds that the scores without hidden states are fitted in
 * @throws SepError `missing-input`, `bad-artifact`, `probe-mismatch`
 */
export async function scoreAnswers(workspace: Workspace, seed: number): Promise<ScoredAnswers> {
  const study = await scoreStudy(workspace);
  const answers = {
    math: await readStudyAnswers(workspace, "math"),
    ood: (await hasOodSplit(workspace)) ? await readStudyAnswers(workspace, "ood") : null,
  };
  const train = await readProbeDataset(workspace.probeDataset("math_train"));
  const baselines = scoreBaselines(
    answers.math.factsOf(train),
    study.splits.map(({ split, dataset }) =>
      (split === "ood_test" ? answers.ood! : answers.math).factsOf(dataset),
    ),
    { seed },
  );
  const scored = study.splits.map(({ split, dataset, scores }, i) => ({
    split,
    dataset,
    scores: { ...scores, byName: { ...baselines[i]!, ...scores.byName } },
  }));
  return { study, train, answers, scored };
}
