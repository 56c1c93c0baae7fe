import { findSentences } from "../text/find-sentences.ts";
import type { TokenRisk } from "./monitor.ts";

/** What the probe says at the end of a stretch of text. */
export interface SpanRisk {
  /** In the answer's text, in UTF-16 units, half-open. */
  readonly start: number;
  readonly end: number;
  readonly kind: "sentence";
  readonly score: number;
  /** null if the probe has no calibration map. */
  readonly risk: number | null;
}

/**
 * The risk at the last token of each sentence.
 * @param ends  [T] length of the text up to each token's end
 * @param risks at every token, in order; none for a probe that reads no states
 */
export function describeSentences(
  text: string,
  ends: readonly number[],
  risks: readonly TokenRisk[],
): readonly SpanRisk[] {
  return findSentences(text).flatMap(([start, end]): SpanRisk[] => {
    const token = ends.findIndex((length) => length >= end);
    const read = risks.find(({ index }) => index === (token < 0 ? ends.length - 1 : token));
    if (read === undefined) return [];
    return [{ start, end, kind: "sentence", score: read.score, risk: read.risk }];
  });
}
