import { SepError } from "../../errors.ts";
import type { FinishedShard } from "./find-shards.ts";
import { type QuestionLines, readQuestionLines } from "./question-lines.ts";
import { shardOf } from "./shard.ts";

/** A question's lines, and which shard they are from. */
export interface MergedLines extends QuestionLines {
  /** Place in the list of shards. */
  readonly place: number;
}

/**
 * The lines of all shards' files in the order of the study's questions, one question a shard in memory.
 * @param order ids of questions; those that no shard has, such as shots, are passed over
 * @param fileOf a shard's file
 * @throws SepError `shards-differ` for a question that stands twice, or in a shard that is not its own, or is not
 *   among those of the study
 */
export async function* mergeQuestionLines(
  order: AsyncIterable<string> | Iterable<string>,
  shards: readonly FinishedShard[],
  fileOf: (shard: FinishedShard) => string,
): AsyncGenerator<MergedLines> {
  const sources = shards.map((shard) => readQuestionLines(fileOf(shard)));
  try {
    const heads = await Promise.all(sources.map((source) => source.next()));
    for await (const questionId of order) {
      const place = shardOf(questionId, shards.length) - 1;
      const head = heads[place]!;
      if (head.done || head.value.questionId !== questionId) continue;
      yield { ...head.value, place };
      heads[place] = await sources[place]!.next();
    }
    for (const [place, head] of heads.entries())
      if (!head.done) throw explainLeft(head.value, shards[place]!, fileOf);
  } finally {
    for (const source of sources) await source.return(undefined);
  }
}

function explainLeft(
  { questionId }: QuestionLines,
  each: FinishedShard,
  fileOf: (shard: FinishedShard) => string,
): SepError {
  const { index, count } = each.shard;
  const home = shardOf(questionId, count);
  const reason =
    home === index
      ? "stands twice, or in another order than the study's questions, or is not among them"
      : `belongs to shard ${home}/${count}`;
  return new SepError(
    "shards-differ",
    `${fileOf(each)}: question ${JSON.stringify(questionId)} of shard ${index}/${count} ${reason}. Run that shard again with --force.`,
  );
}
