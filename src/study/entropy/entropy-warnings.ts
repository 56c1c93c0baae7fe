import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { LineProblem } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { warnOfBadRuns } from "../study-answers.ts";

/**
 * What the reader of a semantic entropy file must know about it: what was left out, and where its numbers say
 * less than they seem to.
 */
export function findEntropyWarnings(
  records: readonly SemanticEntropyRecord[],
  {
    problems,
    duplicates,
    tooFewSamples,
  }: {
    readonly problems: readonly LineProblem[];
    readonly duplicates: readonly LineProblem[];
    /** Number of questions. */
    readonly tooFewSamples: number;
  },
): ManifestWarning[] {
  const warnings: ManifestWarning[] = warnOfBadRuns({ problems, duplicates });
  const warn = (code: string, message: string): void => void warnings.push({ code, message });

  if (tooFewSamples > 0)
    warn(
      "too-few-samples",
      `${tooFewSamples} questions with fewer than 2 samples were left out, since semantic entropy needs at least 2.`,
    );

  const sampleCounts = new Set(records.map((record) => record.run_ids.length));
  if (sampleCounts.size > 1)
    warn(
      "uneven-samples",
      `Questions have from ${Math.min(...sampleCounts)} to ${Math.max(...sampleCounts)} samples, so the largest ` +
        "possible entropy, ln K, differs between them.",
    );
  const samples = records.flatMap((record) => record.answers);
  const unanswered = samples.filter((answer) => answer === null).length;
  if (unanswered > 0)
    warn(
      "no-answer",
      `${unanswered} of ${samples.length} samples have no answer. For each question, these samples form one cluster.`,
    );
  if (records.every((record) => record.discrete_semantic_entropy === 0))
    warn(
      "no-disagreement",
      "The samples of every question agree: all entropies are 0, and no SE probe can be trained on them.",
    );
  if (records.length < FEW_QUESTIONS)
    warn(
      "few-questions",
      `Statistics over fewer than ${FEW_QUESTIONS} questions are mostly noise, and there are only ${records.length}. Add questions.`,
    );
  return warnings;
}

/** The bound that every step of this package reports. */
const FEW_QUESTIONS = 20;
