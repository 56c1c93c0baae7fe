import { readSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import type { Question } from "../questions/question.ts";
import { findUncertainQuestions } from "../report/find-uncertain-questions.ts";
import type { ReportContent } from "../report/report-content.ts";
import { readRuns } from "../sampling/read-runs.ts";
import { readJsonl } from "../store/jsonl.ts";
import { describeSettings } from "./describe-settings.ts";
import { fileExists } from "./file-exists.ts";
import type { ScoredSplit, StudyProbes } from "./score-split.ts";
import type { Workspace } from "./workspace.ts";

/** Collects what the report shows; the question texts are optional, since other tools may have made the runs. */
export async function gatherReport(
  workspace: Workspace,
  evaluation: ProbeEval,
  scored: readonly ScoredSplit[],
  { accuracy, se }: StudyProbes,
): Promise<ReportContent> {
  const entropies = await readSemanticEntropy(workspace.semanticEntropy("math"));
  const { runs } = await readRuns(workspace.runs("math"));
  const questions = (await fileExists(workspace.raw("math")))
    ? (await readJsonl(workspace.raw("math"), { parse: (value) => value as Question })).rows
    : [];
  const test = scored.find(({ split }) => split === "math_test")!.scores;
  const trained = accuracy.kind === "untrained" ? se : accuracy;
  return {
    evaluation,
    scores: Object.fromEntries(scored.map(({ split, scores }) => [split, scores])),
    layerScores: trained.kind === "untrained" ? [] : trained.training.layer_scores,
    entropies: entropies.map((record) => record.discrete_semantic_entropy),
    uncertainQuestions: findUncertainQuestions(test, entropies, runs, questions),
    settings: describeSettings(evaluation, runs),
  };
}
