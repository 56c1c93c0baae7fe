import { SepError } from "../../errors.ts";
import type { LoadedRuns } from "../../samples/read-runs.ts";
import { type ExtractedSamples, groupByQuestion, samplesOf } from "../../samples/samples.ts";
import { describeProblems } from "../../store/jsonl.ts";
import type { Grader } from "../../text/open-answer.ts";
import type { Shard } from "../shards/shard.ts";
import { readShardRuns } from "../study-answers.ts";

/** A runs file by question, as entropies need it. */
export interface LoadedSamples extends Omit<LoadedRuns, "runs"> {
  /** With the samples by run id, in the order in which the questions first appear. */
  readonly questions: readonly ExtractedSamples[];
  /** Questions that were left out. */
  readonly tooFewSamples: number;
  /** Ids of all questions, also of those that were left out. */
  readonly questionIds: ReadonlySet<string>;
  /** The rules that graded the answers. */
  readonly rules: ReadonlySet<Grader>;
}

/**
 * Reads a runs file and leaves out questions that have too few samples to disagree.
 * @param shard leave out the questions of other shards, too
 * @param read `readRuns`, or what keeps a file that a step needs twice
 * @throws SepError `missing-input`; `too-few-questions` if no question has two samples, but for a shard, which may have none
 */
export async function loadSamples(
  path: string,
  shard: Shard | null = null,
  read?: (path: string) => Promise<LoadedRuns>,
): Promise<LoadedSamples> {
  const { runs, ...lines } = await readShardRuns(path, shard, read);
  const byQuestion = groupByQuestion(runs);
  const questions = [...byQuestion.values()]
    .filter((own) => own.length >= MIN_SAMPLES)
    .map((own) => samplesOf(own.toSorted((a, b) => a.run_id - b.run_id)));
  const { problems } = lines;
  if (questions.length === 0 && shard === null)
    throw new SepError(
      "too-few-questions",
      `No question in ${path} has ${MIN_SAMPLES} samples, got ${runs.length} usable runs of ` +
        `${byQuestion.size} questions. ${problems.length > 0 ? `${describeProblems(problems)}. ` : ""}` +
        "Sample more with `sep generate --runs`.",
    );
  return {
    ...lines,
    questions,
    tooFewSamples: byQuestion.size - questions.length,
    questionIds: new Set(byQuestion.keys()),
    rules: new Set(runs.map((run) => run.correctness)),
  };
}

/** One sample cannot disagree with itself: its entropy is 0 whatever the model knows. */
const MIN_SAMPLES = 2;
