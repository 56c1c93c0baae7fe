import { findSentences } from "../text/find-sentences.ts";
import type { TokenRisk } from "./monitor.ts";

/** What the probe says at the end of a stretch of text. */
export interface SpanRisk {
  /** In the answer's text, in UTF-16 units, half-open. */
  readonly start: number;
  readonly end: number;
  /** `given`: one that the request named. */
  readonly kind: "sentence" | "given";
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
  return findSentences(text).flatMap(([start, end]) =>
    describeSpan({ start, end, kind: "sentence" }, ends, risks),
  );
}

/**
 * The risk at the last token of each stretch that a request names.
 * @param spans half-open, in UTF-16 units of the text
 */
export const describeGivenSpans = (
  spans: readonly (readonly [start: number, end: number])[],
  ends: readonly number[],
  risks: readonly TokenRisk[],
): readonly SpanRisk[] =>
  spans.flatMap(([start, end]) => describeSpan({ start, end, kind: "given" }, ends, risks));

/** @returns nothing where the token has no risk */
function describeSpan(
  span: Pick<SpanRisk, "start" | "end" | "kind">,
  ends: readonly number[],
  risks: readonly TokenRisk[],
): SpanRisk[] {
  const token = ends.findIndex((length) => length >= span.end);
  const read = risks.find(({ index }) => index === (token < 0 ? ends.length - 1 : token));
  return read === undefined ? [] : [{ ...span, score: read.score, risk: read.risk }];
}
