import type { Json } from "../formats/json.ts";
import type { JudgeLabel } from "./judge-prompt.ts";

/** A language model that is asked short questions and answers each with one of a few words. */
export interface JudgeModel {
  readonly name: string;
  /** Everything that decides its replies. */
  readonly provenance: Json;
  /** Prompts to have under way at a time. */
  readonly concurrency: number;
  /**
   * @param options.labels the words that the prompt asks for; a model that can be held to them replies with one
   * @returns what it said, decoded greedily
   */
  complete(
    prompt: string,
    options: { readonly labels: readonly JudgeLabel[]; readonly signal?: AbortSignal | undefined },
  ): Promise<string>;
}

/**
 * A judge's replies to many prompts. When one fails, the others under way are aborted and awaited.
 * @returns [N] in the prompts' order
 */
export async function completeAll(
  model: JudgeModel,
  prompts: readonly string[],
  { labels, signal }: Parameters<JudgeModel["complete"]>[1],
): Promise<readonly string[]> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const replies = new Array<string>(prompts.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < prompts.length) {
      either.throwIfAborted();
      const index = next++;
      replies[index] = await model.complete(prompts[index]!, { labels, signal: either });
    }
  };
  const workers = Array.from({ length: Math.min(model.concurrency, prompts.length) }, work);
  try {
    await Promise.all(workers);
  } finally {
    stop.abort();
    await Promise.allSettled(workers);
  }
  return replies;
}
