import type { StoredSemanticEntropy } from "../entropy/semantic-entropy-record.ts";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import type { HeldOutSplit, ProbeEval } from "../evaluation/probe-eval.ts";
import type { StudyScoreName } from "../evaluation/score-names.ts";
import type { SeedsSummary } from "../evaluation/summarise-seeds.ts";
import type { TransferEval } from "../evaluation/transfer-eval.ts";
import { mean } from "../math/vector.ts";
import type { LayerScore } from "../probes/probe.ts";
import type { Question } from "../samples/question.ts";
import type { Samples } from "../samples/samples.ts";

/** What a report is about. */
export interface ReportSubject {
  readonly model: string;
  /** Whether it is the model that comes with this package, whose results say nothing about language models. */
  readonly isEmbedded: boolean;
  /** The model that read another one's answers; null if the model read its own. */
  readonly observer: string | null;
  /** The question sets, with how many questions were asked. */
  readonly questionCounts: readonly { readonly name: string; readonly count: number }[];
  /** "10 samples per question"; null if the answers are not there. */
  readonly samples: string | null;
  /** Of the evaluation, as YYYY-MM-DD; null if it is not known. */
  readonly date: string | null;
}

/** All that the report shows. */
export interface ReportContent {
  readonly subject: ReportSubject;
  readonly evaluation: ProbeEval;
  /** The rows of `math_test`. */
  readonly testScores: SplitScores<StudyScoreName>;
  /** Out-of-fold AUROC by position and layer, from training. */
  readonly layerScores: readonly LayerScore[];
  /** Discrete semantic entropy of every question of the first set, nats. */
  readonly entropies: readonly number[];
  /** Of each held-out split, most uncertain first. */
  readonly questions: Readonly<Partial<Record<HeldOutSplit, readonly ReportQuestion[]>>>;
  /** A comparison with other data sets; null if there is none. */
  readonly transfer: TransferEval | null;
  /** Repetitions of splits and fits with other seeds; null if there are none. */
  readonly seeds: SeedsSummary | null;
  /** Name and value of each setting and origin. */
  readonly settings: readonly (readonly [string, string])[];
}

/** A question with its sampled answers clustered by meaning. */
export interface ReportQuestion {
  readonly id: string;
  readonly question: string;
  readonly reference: string | null;
  /** nats */
  readonly semanticEntropy: number;
  /** Mean over its samples of the accuracy probe's P(incorrect), and of the SE probe's P(high SE); null if none. */
  readonly accuracyProbe: number | null;
  readonly seProbe: number | null;
  /** Largest first. */
  readonly clusters: readonly AnswerCluster[];
}

/** Samples that say the same. */
export interface AnswerCluster {
  readonly answer: string;
  readonly sampleCount: number;
  readonly correctCount: number;
  /** One sample's whole output. */
  readonly example: string;
}

const NO_ANSWER = "(no answer)";

/**
 * The questions of a split, those with the highest discrete semantic entropy first, with their answers clustered by
 * meaning; equals are ordered by the likelihood-weighted entropy, those without it last, then by id.
 * @param questions the question texts; those missing are shown by their prompt
 */
export function describeQuestions(
  split: SplitScores<StudyScoreName>,
  entropies: readonly StoredSemanticEntropy[],
  samples: readonly Samples[],
  questions: readonly Question[],
): ReportQuestion[] {
  const rowsOf = new Map<string, number[]>();
  split.questionIds.forEach((id, row) => {
    const rows = rowsOf.get(id);
    if (rows === undefined) rowsOf.set(id, [row]);
    else rows.push(row);
  });
  const textOf = new Map(questions.map((question) => [question.id, question]));
  const samplesOf = new Map(samples.map((own) => [own.id, own]));
  return entropies
    .filter((record) => rowsOf.has(record.question_id))
    .toSorted(
      (a, b) =>
        b.discrete_semantic_entropy - a.discrete_semantic_entropy ||
        compareMissingLast(a.semantic_entropy, b.semantic_entropy) ||
        (a.question_id < b.question_id ? -1 : 1),
    )
    .map((record) => {
      const own = samplesOf.get(record.question_id);
      const rows = rowsOf.get(record.question_id)!;
      const source = textOf.get(record.question_id);
      return {
        id: record.question_id,
        question: source?.question ?? own?.prompt ?? record.question_id,
        reference: source?.answer ?? null,
        semanticEntropy: record.discrete_semantic_entropy,
        accuracyProbe: meanOver(rows, split.byName.accuracy_probe),
        seProbe: meanOver(rows, split.byName.se_probe),
        clusters: record.clusters
          .map((cluster) => describeCluster(own, cluster.member_run_ids))
          .filter((cluster) => cluster.sampleCount > 0)
          .toSorted((a, b) => b.sampleCount - a.sampleCount),
      };
    });
}

/** Higher first. */
function compareMissingLast(a: number | null, b: number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return b - a;
}

function describeCluster(samples: Samples | undefined, runIds: readonly number[]): AnswerCluster {
  const members = samples?.runIds.flatMap((id, i) => (runIds.includes(id) ? [i] : [])) ?? [];
  const first = members[0];
  if (samples === undefined || first === undefined)
    return { answer: NO_ANSWER, sampleCount: 0, correctCount: 0, example: "" };
  return {
    answer: samples.extracted?.[first] ?? (samples.texts[first]!.trim() || NO_ANSWER),
    sampleCount: members.length,
    correctCount: members.filter((i) => samples.isCorrect?.[i]).length,
    example: samples.outputs?.[first] ?? samples.texts[first]!,
  };
}

/** Mean of a score over a question's rows; null if none has it. */
function meanOver(rows: readonly number[], scores: Float64Array): number | null {
  const own = rows.map((row) => scores[row]!).filter((score) => !Number.isNaN(score));
  return own.length === 0 ? null : mean(own);
}
