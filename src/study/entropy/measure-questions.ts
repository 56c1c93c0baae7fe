import { SE_MODES } from "../../entropy/se-mode.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { PTrueShot } from "../../entropy/state-measures.ts";
import { SepError } from "../../errors.ts";
import {
  type ClusterRecord,
  describeClustering,
  describePairVerdicts,
  type PairVerdictsRecord,
} from "../../meaning/cluster-record.ts";
import type { Samples } from "../../samples/samples.ts";
import type { LineProblem } from "../../store/jsonl.ts";
import type { MeaningModels } from "../meaning/meaning-models.ts";
import { countMeaning, findMeaningWarnings } from "../meaning/meaning-warnings.ts";
import type { OpenClusterer } from "../meaning/open-clusterer.ts";
import type { MeaningChoice } from "../meaning/open-equivalence.ts";
import type { StepEvent, StepOutcome } from "../step.ts";
import { type ClusteredRuns, clusterRuns, type QuestionOf } from "./cluster-runs.ts";
import { findEntropyWarnings } from "./entropy-warnings.ts";
import type { EstimateOptions } from "./estimate-options.ts";
import { type ClusteredQuestion, estimateQuestions, type MeasurableSamples } from "./estimate-questions.ts";
import { clustersByNli, openEvidenceModels, wantsEntailer } from "./evidence-models.ts";
import { askAboutMainAnswer } from "./question-extras.ts";

/** Questions with their samples, as a file had them. */
export interface MeasuredQuestions {
  /** Each with at least two samples. */
  readonly questions: readonly MeasurableSamples[];
  readonly tooFewSamples: number;
  readonly problems: readonly LineProblem[];
  readonly duplicates: readonly LineProblem[];
}

interface MeasureOptions extends EstimateOptions {
  readonly part: string;
  readonly clusterer: OpenClusterer;
  readonly choice: MeaningChoice;
  readonly models: MeaningModels;
  readonly signal?: AbortSignal | undefined;
  /** Puts the results on disk. */
  write(
    records: readonly (SemanticEntropyRecord & ClusterRecord)[],
    verdicts: readonly PairVerdictsRecord[],
  ): Promise<void>;
}

/** Whether the text of the questions is needed, for clustering or for uncertainty measures. */
export const readsQuestions = (
  options: EstimateOptions,
  choice: MeaningChoice,
  clusterer: OpenClusterer,
): boolean =>
  clusterer.readsQuestions || wantsEntailer(options, choice, clusterer) || options.pTrueModel !== undefined;

/**
 * The body of a step that clusters samples by meaning and computes uncertainty measures.
 * @throws SepError `missing-input` for a question whose words are needed and not known; those of the models
 */
export async function* measureQuestions(
  input: MeasuredQuestions,
  {
    part,
    clusterer,
    choice,
    models,
    signal,
    write,
    now = () => performance.now(),
    ...options
  }: MeasureOptions,
): AsyncGenerator<StepEvent, StepOutcome> {
  const { questions, problems, duplicates, tooFewSamples } = input;
  const at = { step: "entropy", part } as const;
  const total = questions.length;
  await using evidence = yield* openEvidenceModels(options, choice, { clusterer, models, signal });
  const questionOf = readsQuestions(options, choice, clusterer) ? requireQuestion : () => "";
  const withQuestion = options.seMode === undefined || SE_MODES[options.seMode].withQuestion;
  const shownOf: QuestionOf = withQuestion ? questionOf : () => "";
  // A question with a single distinct answer has a complete matrix even if no model is asked: numbers for such questions alone
  // would be a biased choice of questions.
  const asksNli = clustersByNli(clusterer) || evidence.entailer !== undefined;
  const asksCosine = clusterer.name === "cosine" || evidence.embedder !== undefined;
  const { pTrueModel, pTrueShots } = options;
  refuseOwnShots(questions, pTrueShots);
  const extras = { entailer: evidence.entailer, pTrueModel, pTrueShots, signal };

  yield { kind: "started", ...at, unit: "question", done: 0, total };
  const clustered: ClusteredRuns[] = [];
  const measurable: ClusteredQuestion[] = [];
  const runs = clusterRuns(questions, clusterer.create(shownOf), { evidence, signal });
  for await (const each of runs) {
    const samples = questions[clustered.length]!;
    if (pTrueModel !== undefined) questionOf(samples); // refuses a question without words
    measurable.push({
      samples,
      clusterIds: each.clusters.clusterIds,
      nonTransitiveShare: each.clusters.nonTransitiveShare,
      evidence: {
        ...each.evidence,
        entailment: asksNli ? each.evidence.entailment : null,
        similarity: asksCosine ? each.evidence.similarity : null,
      },
      ...(await askAboutMainAnswer(samples, shownOf(samples), extras)),
    });
    clustered.push(each);
    yield { kind: "advanced", ...at, done: clustered.length, total };
  }
  const { name: equivalence, clustering } = clusterer;
  const estimated = estimateQuestions(measurable, { ...options, equivalence, now });
  if (options.estimates !== undefined && options.estimates !== "default")
    yield { kind: "estimates", ...at, questions: total, costs: estimated.costs };
  const warnings = [
    ...findEntropyWarnings(estimated.records, { problems, duplicates, tooFewSamples }),
    ...findMeaningWarnings(clustered),
    ...estimated.warnings,
  ];
  for (const warning of warnings) yield { kind: "warning", ...at, warning };

  const records = estimated.records.map((record, i) => ({
    ...record,
    ...describeClustering(clustered[i]!.clusters, clustering),
    ...(estimated.reclustered[i] ? { clustering: null, order_sensitivity: null } : {}),
  }));
  const verdicts = clustered.map(({ clusters }, i) => describePairVerdicts(questions[i]!.id, clusters));
  await write(records, verdicts);
  const answers = questions.flatMap(({ extracted }) => extracted);
  const counts = {
    questions: total,
    runs: answers.length,
    no_answer: answers.filter((answer) => answer === null).length,
    ...countMeaning(clustered),
    bad_lines: problems.length,
    duplicate_runs: duplicates.length,
    questions_with_too_few_samples: tooFewSamples,
  };
  return { counts, warnings };
}

/** A question that is its own example has its answer's verdict in the prompt. */
function refuseOwnShots(questions: readonly Samples[], shots: readonly PTrueShot[] | undefined = []): void {
  const asked = new Set(questions.map(({ question }) => question));
  const own = shots.find(({ question }) => asked.has(question));
  if (own === undefined) return;
  throw new SepError(
    "bad-option",
    `The example ${JSON.stringify(own.question)} for p(True) is also one of the questions to measure: its verdict would be in its own prompt. Give a file with other questions.`,
  );
}

const requireQuestion: QuestionOf = ({ id, question }) => {
  if (question !== null) return question;
  throw new SepError(
    "missing-input",
    `The file has no text for question ${JSON.stringify(id)}, which a model needs in order to compare its answers. Add it as "question", or use --equivalence exact or math, which compare only the answers.`,
  );
};
