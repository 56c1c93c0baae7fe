import pMap from "p-map";
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
  const asked: Promise<string>[] = [];
  const ask = (prompt: string): Promise<string> => {
    either.throwIfAborted();
    const reply = model.complete(prompt, { labels, signal: either });
    asked.push(reply);
    return reply;
  };
  try {
    return await pMap(prompts, ask, { concurrency: model.concurrency });
  } finally {
    stop.abort();
    await Promise.allSettled(asked);
  }
}
