import { SepError } from "../../errors.ts";
import { groupByQuestion } from "../../samples/group-by-question.ts";
import type { LoadedRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { describeProblems } from "../../store/jsonl.ts";
import type { Shard } from "../shards/shard.ts";
import { readShardRuns } from "../study-answers.ts";

/** A runs file by question, as entropies need it. */
export interface LoadedSamples extends LoadedRuns {
  /** Each one's samples by run id; in the order in which the questions first appear. */
  readonly questions: readonly (readonly RunRecord[])[];
  /** Questions that were left out. */
  readonly tooFewSamples: number;
}

/**
 * Reads a runs file and leaves out questions that have too few samples to disagree.
 * @param shard leave out the questions of other shards, too
 * @throws SepError `missing-input`; `too-few-questions` if no question has two samples, but for a shard, which may have none
 */
export async function loadSamples(path: string, shard: Shard | null = null): Promise<LoadedSamples> {
  const loaded = await readShardRuns(path, shard);
  const byQuestion = groupByQuestion(loaded.runs);
  const questions = [...byQuestion.values()]
    .filter((samples) => samples.length >= MIN_SAMPLES)
    .map((samples) => samples.toSorted((a, b) => a.run_id - b.run_id));
  const { runs, problems } = loaded;
  if (questions.length === 0 && shard === null)
    throw new SepError(
      "too-few-questions",
      `No question in ${path} has ${MIN_SAMPLES} samples, got ${runs.length} usable runs of ` +
        `${byQuestion.size} questions. ${problems.length > 0 ? `${describeProblems(problems)}. ` : ""}` +
        "Sample more with `sep generate --runs`.",
    );
  return { ...loaded, questions, tooFewSamples: byQuestion.size - questions.length };
}

/** One sample cannot disagree with itself: its entropy is 0 whatever the model knows. */
const MIN_SAMPLES = 2;
