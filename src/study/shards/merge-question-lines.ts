import { SepError } from "../../errors.ts";
import { readLines } from "../../store/jsonl.ts";
import type { FinishedShard } from "./find-shards.ts";
import { shardOf } from "./shard.ts";

/** A question's lines, and the shard that they come from. */
export interface MergedLines extends QuestionLines {
  /** Place in the list of shards. */
  readonly place: number;
}

/**
 * The lines of all shards' files in the order of the study's questions, with one question per shard in memory.
 * @param order ids of questions; those that no shard has, such as shots, are skipped
 * @param fileOf a shard's file
 * @throws SepError `shards-differ` for a question that occurs twice, or in a shard that is not its own, or is not
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

/** The lines of one question, as they are in the file. */
interface QuestionLines {
  readonly questionId: string;
  readonly lines: readonly Buffer[];
}

/**
 * A JSONL file by question, one question in memory at a time. The lines of a question are consecutive.
 * @throws SepError `missing-input`; `bad-artifact` for a line without the key
 */
export async function* readQuestionLines(path: string, key = "question_id"): AsyncGenerator<QuestionLines> {
  let questionId: string | null = null;
  let lines: Buffer[] = [];
  let number = 0;
  for await (const { bytes, sizeBytes } of readLines(path)) {
    number += 1;
    if (sizeBytes > bytes.length)
      throw new SepError(
        "bad-artifact",
        `${path}: line ${number} has ${sizeBytes} bytes, more than a row can have. Make the file again.`,
      );
    if (bytes.length === 0) continue;
    const id = readId(bytes, key, `${path}: line ${number}`);
    if (id !== questionId && questionId !== null) {
      yield { questionId, lines };
      lines = [];
    }
    questionId = id;
    lines.push(bytes);
  }
  if (questionId !== null) yield { questionId, lines };
}

function readId(bytes: Buffer, key: string, where: string): string {
  let id: unknown;
  try {
    id = (JSON.parse(bytes.toString()) as Readonly<Record<string, unknown>>)[key];
  } catch (cause) {
    throw new SepError("bad-artifact", `${where} is not JSON. Make the file again.`, { cause });
  }
  if (typeof id === "string") return id;
  throw new SepError("bad-artifact", `${where} has no "${key}". Make the file again.`);
}
