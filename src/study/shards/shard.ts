import { SepError } from "../../errors.ts";
import { fingerprint } from "../../store/fingerprint.ts";

/** One part of a study's questions, for several machines that share the work. */
export interface Shard {
  /** From 1. */
  readonly index: number;
  /** How many shards there are. */
  readonly count: number;
}

/** More must be a mistake: each shard has its own folder and loads the model again. */
const MAX_SHARDS = 100_000;

/**
 * Reads `2/8`.
 * @throws SepError `bad-option`
 */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (shard.count >= 1 && shard.count <= MAX_SHARDS && shard.index >= 1 && shard.index <= shard.count)
    return shard;
  throw new SepError(
    "bad-option",
    `Got --shard ${text}, expected I/N with I from 1 to N and N at most ${MAX_SHARDS}, such as 2/8.`,
  );
}

/**
 * The index, from 1, of the shard that a question belongs to. It follows from the question's id alone, so that other
 * questions, their order and `--limit` do not move a question to another shard.
 */
export function shardOf(questionId: string, count: number): number {
  // 48 bits of a hash: exact in a double, and even to one part in 10^9 for the largest count
  return (Number.parseInt(fingerprint(questionId).slice(0, 12), 16) % count) + 1;
}

/** Whether a question is the shard's; every question is, where there are no shards. */
export const isInShard = (questionId: string, shard: Shard | null): boolean =>
  shard === null || shardOf(questionId, shard.count) === shard.index;

/** The folder of a shard within `shards/`. */
export const shardFolder = ({ index, count }: Shard): string => `${index}-of-${count}`;

/** @returns null for a folder that is not a shard's */
export function parseShardFolder(name: string): Shard | null {
  const [, index, count] = /^([1-9]\d*)-of-([1-9]\d*)$/.exec(name) ?? [];
  return index === undefined ? null : { index: Number(index), count: Number(count) };
}
