import { regularEntropy } from "../../entropy/token-measures.ts";
import { type AnswerFacts, MEASURED_NAMES, type MeasuredName } from "../../evaluation/baseline-scores.ts";
import type { CommonAnswer } from "../../evaluation/consistently-wrong.ts";
import { mean, sum } from "../../math/vector.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { groupByQuestion, runKey } from "../../samples/samples.ts";
import { fileExists } from "../../store/read-file.ts";
import { readSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import { questionTexts } from "../question-overlap.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

/** The answers to a set of questions, as far as its files are there; other tools may not have written them. */
export interface StudyAnswers {
  /** What is known without hidden states of the rows of a data set. */
  factsOf(dataset: ProbeDataset): AnswerFacts;
  /** By question id: the largest meaning cluster, with its first answer. */
  readonly common: ReadonlyMap<string, CommonAnswer>;
  /** By question id. */
  readonly questionTexts: ReadonlyMap<string, string>;
}

/** Reads a set's answers, samples and entropies, each file once. */
export async function readStudyAnswers(workspace: Workspace, set: DataSetName): Promise<StudyAnswers> {
  const tracedPath = await tracedAnswersPath(workspace, set);
  const samples = await readRunsIfThere(workspace.runs(set));
  const traced = tracedPath === workspace.runs(set) ? samples : await readRunsIfThere(tracedPath);
  const entropies = (await fileExists(workspace.semanticEntropy(set)))
    ? await readSemanticEntropy(workspace.semanticEntropy(set))
    : [];
  const runOf = new Map(traced.map((run) => [runKey(run.question_id, run.run_id), run]));
  const [texts = new Map<string, string>()] = traced.length === 0 ? [] : questionTexts(traced);
  const naive = new Map([...groupByQuestion(samples)].map(([id, own]) => [id, naiveEntropy(own)]));
  const doubt = new Map(entropies.map(({ question_id, p_false }) => [question_id, p_false ?? Number.NaN]));
  return {
    questionTexts: texts,
    common: findCommonAnswers(samples, entropies),
    factsOf(dataset) {
      const runs = dataset.questionIds.map((id, row) => runOf.get(runKey(id, dataset.runIds[row]!)) ?? null);
      // tokens, unless a tool did not write them
      const byTokens = runs.every((run) => run === null || run.tokens.length > 0);
      const measure = (run: RunRecord | null, row: number): Record<MeasuredName, number> => {
        const id = dataset.questionIds[row]!;
        return {
          question_length: texts.get(id)?.length ?? Number.NaN,
          mean_think_entropy: dataset.meanThinkEntropy[row]!,
          naive_entropy: naive.get(id) ?? Number.NaN,
          p_false: doubt.get(id) ?? Number.NaN,
          ...measureAnswer(run, byTokens),
        };
      };
      const measured = runs.map(measure);
      return {
        questionGroups: dataset.questionGroups,
        incorrect: dataset.correct.map((correct) => 1 - correct),
        questionTexts: dataset.questionIds.map((id) => texts.get(id) ?? null),
        answerTexts: runs.map((run) => run?.output_text ?? null),
        measured: Object.fromEntries(
          MEASURED_NAMES.map((name) => [name, Float64Array.from(measured, (own) => own[name])]),
        ) as Record<MeasuredName, Float64Array>,
      };
    },
  };
}

const readRunsIfThere = async (path: string): Promise<readonly RunRecord[]> =>
  (await fileExists(path)) ? (await readRuns(path)).runs : [];

type AnswerMeasure = Exclude<
  MeasuredName,
  "question_length" | "mean_think_entropy" | "naive_entropy" | "p_false"
>;

/** NaN where the tool that sampled the answer did not write what it takes. */
function measureAnswer(run: RunRecord | null, byTokens: boolean): Record<AnswerMeasure, number> {
  const { token_entropies: entropies = [], token_logprobs: logprobs = [] } = run ?? {};
  const most = (values: readonly number[]): number =>
    values.length === 0 ? Number.NaN : values.reduce((largest, value) => Math.max(largest, value));
  return {
    answer_length: run === null ? Number.NaN : byTokens ? run.tokens.length : run.output_text.length,
    first_token_entropy: entropies[0] ?? Number.NaN,
    mean_token_entropy: mean(entropies),
    max_token_entropy: most(entropies),
    answer_nll: logprobs.length === 0 ? Number.NaN : -sum(logprobs),
    mean_nll: -mean(logprobs),
    max_nll: most(logprobs.map((logprob) => -logprob)),
  };
}

/** NaN where a sample has no log-probabilities. */
const naiveEntropy = (samples: readonly RunRecord[]): number =>
  regularEntropy(samples.map(({ token_logprobs }) => mean(token_logprobs)));

function findCommonAnswers(
  runs: readonly RunRecord[],
  records: Awaited<ReturnType<typeof readSemanticEntropy>>,
): Map<string, CommonAnswer> {
  const texts = new Map(
    runs.map((run) => [
      runKey(run.question_id, run.run_id),
      run.extracted_answer ?? (run.answer_text.trim() || null),
    ]),
  );
  if (texts.size === 0) return new Map();
  return new Map(
    records.flatMap(({ question_id, clusters }) => {
      const samples = clusters.reduce((total, { member_run_ids }) => total + member_run_ids.length, 0);
      if (samples === 0) return [];
      const largest = clusters.reduce((most, cluster) =>
        cluster.member_run_ids.length > most.member_run_ids.length ? cluster : most,
      );
      const said = largest.member_run_ids.map((run) => texts.get(runKey(question_id, run)) ?? null);
      const answer = said.find((text) => text !== null) ?? null;
      return [[question_id, { answer, cluster_share: largest.member_run_ids.length / samples }]];
    }),
  );
}
