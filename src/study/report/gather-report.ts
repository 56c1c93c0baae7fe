import { readSemanticEntropy, type StoredSemanticEntropy } from "../../entropy/read-semantic-entropy.ts";
import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import type { TransferEval } from "../../evaluation/transfer-eval.ts";
import { describeQuestions } from "../../report/describe-questions.ts";
import type { ReportContent, ReportQuestion } from "../../report/report-content.ts";
import type { Question } from "../../samples/question.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { fileExists } from "../../store/file-exists.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { scoreStudy } from "../probes/score-study.ts";
import type { DataSetName, Workspace } from "../workspace.ts";
import { describeSettings } from "./describe-settings.ts";

/**
 * Collects what the report shows.
 * @param transfer null for none
 * @throws SepError `missing-input`, `bad-artefact`, `probe-mismatch`
 */
export async function gatherReport(
  workspace: Workspace,
  evaluation: ProbeEval,
  transfer: TransferEval | null,
): Promise<ReportContent> {
  const { probes, splits } = await scoreStudy(workspace);
  const scoresOf = (name: string): SplitScores | undefined =>
    splits.find(({ split }) => split === name)?.scores;
  const test = scoresOf("math_test")!;
  const ood = scoresOf("ood_test");
  const { accuracy, se } = probes;
  const trained = accuracy.kind === "untrained" ? se : accuracy;
  const texts = await readTexts(workspace, "math");
  return {
    evaluation,
    testScores: test,
    layerScores: trained.kind === "untrained" ? [] : trained.training.layer_scores,
    entropies: texts.entropies.map((record) => record.discrete_semantic_entropy),
    questions: {
      math_test: describe(test, texts),
      ...(ood === undefined ? {} : { ood_test: describe(ood, await readTexts(workspace, "ood")) }),
    },
    transfer,
    settings: describeSettings(evaluation, texts.runs),
  };
}

interface StudyTexts {
  readonly entropies: readonly StoredSemanticEntropy[];
  readonly runs: readonly RunRecord[];
  readonly questions: readonly Question[];
}

const describe = (scores: SplitScores, { entropies, runs, questions }: StudyTexts): ReportQuestion[] =>
  describeQuestions(scores, entropies, runs, questions);

/** A set's answers and questions; what other tools did not write is left empty. */
async function readTexts(workspace: Workspace, set: DataSetName): Promise<StudyTexts> {
  const [entropyPath, runsPath, rawPath] = [
    workspace.semanticEntropy(set),
    workspace.runs(set),
    workspace.raw(set),
  ];
  return {
    entropies: (await fileExists(entropyPath)) ? await readSemanticEntropy(entropyPath) : [],
    runs: (await fileExists(runsPath)) ? (await readRuns(runsPath)).runs : [],
    questions: (await fileExists(rawPath))
      ? (await readJsonl(rawPath, { parse: (value) => value as Question })).rows
      : [],
  };
}
