import { ESTIMATE_NEEDS, type EstimateNeed } from "../../entropy/measures/estimate.ts";
import {
  chooseEstimates,
  createEstimateMeter,
  type EstimateChoice,
  type EstimateCost,
} from "../../entropy/measures/estimate-registry.ts";
import { exceedsComparedWords, MOST_COMPARED_WORDS } from "../../entropy/pair-measures.ts";
import { type QuestionSamples, type SampleEvidence, spreadEvidence } from "../../entropy/question-samples.ts";
import { clusterByVerdicts, SE_MODES, type SeModeName } from "../../entropy/se-mode.ts";
import { describeQuestion, type SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { PairEvidence } from "../../meaning/pair-evidence.ts";
import type { ExtractedSamples } from "../../samples/samples.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import type { QuestionExtras } from "./question-extras.ts";

/** Samples and the evidence that came with them. */
export type MeasurableSamples = ExtractedSamples & Pick<SampleEvidence, "hiddenStates" | "entailment">;

/** One question whose samples were clustered by meaning. */
export interface ClusteredQuestion extends Partial<QuestionExtras> {
  readonly samples: MeasurableSamples;
  /** [K] */
  readonly clusterIds: readonly number[];
  readonly nonTransitiveShare: number | null;
  /** null if no model looked at pairs of answers. */
  readonly evidence: PairEvidence | null;
}

interface EstimateQuestionsOptions {
  readonly estimates?: EstimateChoice | undefined;
  /**
   * The published variant to compute as `semantic_entropy`. It also clusters the samples if an NLI model has compared their
   * answers. If not given: the formula of `nature`, over the given clusters.
   */
  readonly seMode?: SeModeName | undefined;
  /** Name of the relation that clustered the answers. */
  readonly equivalence: string;
  /** Milliseconds; only differences count. */
  readonly now: () => number;
}

/** What came of it. */
export interface EstimatedQuestions {
  /** One per question, in order. */
  readonly records: readonly SemanticEntropyRecord[];
  /** One per question: whether the mode clustered its samples again. */
  readonly reclustered: readonly boolean[];
  /** One per estimate. */
  readonly costs: readonly EstimateCost[];
  readonly warnings: readonly ManifestWarning[];
}

/**
 * Computes the measures of clustered questions. A question that lacks what a measure needs has null for it, and the warnings
 * count those.
 * @throws SepError `bad-option` for an unknown measure
 */
export function estimateQuestions(
  questions: readonly ClusteredQuestion[],
  { estimates = "default", seMode, equivalence, now }: EstimateQuestionsOptions,
): EstimatedQuestions {
  const mode = seMode ?? "nature";
  const meter = createEstimateMeter(chooseEstimates(estimates), mode, now);
  const reclustered: boolean[] = [];
  const records = questions.map((question) => {
    const samples = joinEvidence(question);
    const context = { mode, equivalence, nonTransitiveShare: question.nonTransitiveShare };
    reclustered.push(seMode !== undefined && samples.entailment !== null);
    if (seMode === undefined || samples.entailment === null)
      return describeQuestion(samples, meter.measure(samples), context);
    const { rule, assignment } = SE_MODES[seMode];
    const own = {
      ...samples,
      clusterIds: clusterByVerdicts(samples.entailment, rule, assignment, samples.answers),
    };
    // the share is about the relation's verdicts, not the mode's
    return describeQuestion(own, meter.measure(own), { ...context, nonTransitiveShare: null });
  });
  const costs = meter.costs();
  return {
    records,
    reclustered,
    costs,
    warnings: [
      ...warnOfMode(seMode, reclustered, equivalence),
      ...warnOfMissing(costs, questions.length),
      ...(costs.some(({ name }) => name === "lexical_similarity") ? warnOfLongAnswers(questions) : []),
    ],
  };
}

/** Verdicts of this study's models take precedence over those that came with imported samples. */
function joinEvidence({
  samples,
  clusterIds,
  evidence,
  sentenceVerdicts = null,
  logPTrue = null,
}: ClusteredQuestion): QuestionSamples {
  const { entailment, similarity } =
    evidence === null ? { entailment: null, similarity: null } : spreadEvidence(samples.extracted, evidence);
  return {
    ...samples,
    answers: samples.extracted,
    clusterIds,
    entailment: entailment ?? samples.entailment,
    similarity,
    sentenceVerdicts,
    logPTrue,
  };
}

function warnOfMode(
  mode: SeModeName | undefined,
  reclustered: readonly boolean[],
  equivalence: string,
): ManifestWarning[] {
  const others = reclustered.filter((anew) => !anew).length;
  if (mode === undefined || others === 0) return [];
  return [
    {
      code: "mode-without-nli",
      message:
        `The mode ${mode} clusters answers by an NLI model's verdicts, but ${others} of ${reclustered.length} questions ` +
        `have none: their clusters are those of "${equivalence}", and only weights and formula are those of the mode.`,
    },
  ];
}

function warnOfLongAnswers(questions: readonly ClusteredQuestion[]): ManifestWarning[] {
  const answers = questions.flatMap(({ samples }) => samples.extracted);
  const long = answers.filter(exceedsComparedWords).length;
  if (long === 0) return [];
  return [
    {
      code: "long-answers",
      message: `lexical_similarity: ${long} of ${answers.length} answers have more than ${MOST_COMPARED_WORDS} words; only the first ${MOST_COMPARED_WORDS} are compared.`,
    },
  ];
}

/** One warning for everything that lacks the same thing. */
function warnOfMissing(costs: readonly EstimateCost[], total: number): ManifestWarning[] {
  const names = new Map<string, string[]>();
  for (const { name, missing } of costs)
    for (const [need, count] of Object.entries(missing)) {
      const key = JSON.stringify([need, count]);
      names.set(key, [...(names.get(key) ?? []), name]);
    }
  return [...names].map(([key, estimates]) => {
    const [need, count] = JSON.parse(key) as [EstimateNeed | "finite", number];
    const where = `null for ${count} of ${total} questions`;
    const listed = estimates.join(", ");
    if (need === "finite")
      return {
        code: "estimate-infinite",
        message: `${listed}: ${where}, where the measure is infinite or undefined.`,
      };
    const rest = estimates.includes("semantic_entropy")
      ? ". discrete_semantic_entropy does not need them"
      : "";
    return {
      code: "estimate-missing",
      message: `${listed}: ${where}, which lack ${ESTIMATE_NEEDS[need]}${rest}.`,
    };
  });
}
