import type { Scaler } from "../scaler.ts";
import type { CodedFolds } from "./shared-gram.ts";

/**
 * How features of a training set differ from those of all rows, (z - shift) · factor, and how that is brought into
 * K: in eight bits as long as the changes are small and no row has a peak in them.
 */
export interface ScaleChange {
  /** [d] 0 but for features that are corrected: the intercept takes up what is left of the means. */
  readonly shift: Float64Array;
  /** [d] */
  readonly factor: Float64Array;
  /** Features to correct in float32. */
  readonly corrected: readonly number[];
  /** Whether the others can be told in eight bits; else K is to be made from nothing. */
  readonly isSmall: boolean;
}

/** A change of a feature's variance, or of its mean, in units of all rows', that is corrected in float32. */
const LARGE_CHANGE = 0.2;
/** How many times the usual change the largest one in a row may be: it sets the steps of the row's codes. */
const LARGEST_PEAK = 12;
/** The usual change, root mean square; K is as exact as some hundredths of that. */
const USUAL_CHANGE = 0.04;
/** With more features than this share to correct, K from nothing is quicker. */
const SHARE_WORTH_CORRECTING = 1 / 8;

/** @param coded what is known of the features whose codes are at hand; null if there are none */
export function changeScale(
  from: Scaler,
  to: Scaler,
  coded: Pick<CodedFolds, "peaks" | "isCoded"> | null,
): ScaleChange {
  const shift = to.mean.map((mean, j) => (mean - from.mean[j]!) / from.scale[j]!);
  const factor = to.scale.map((scale, j) => from.scale[j]! / scale);
  const large: ScaleChange = { shift, factor, corrected: [], isSmall: false };
  if (coded === null) return large;
  const change = factor.map((each) => Math.abs(each * each - 1));
  const isSmall = coded.isCoded.map(
    (own, j) => own && change[j]! <= LARGE_CHANGE && Math.abs(shift[j]!) <= LARGE_CHANGE,
  );
  const squares = change.reduce((sum, each, j) => (isSmall[j] ? sum + each * each : sum), 0);
  const usual = Math.sqrt(squares / Math.max(isSmall.filter(Boolean).length, 1));
  const isPlain = isSmall.map((own, j) => own && change[j]! * coded.peaks[j]! <= LARGEST_PEAK * usual);
  const corrected = Array.from(isPlain.keys()).filter((j) => !isPlain[j]);
  if (usual > USUAL_CHANGE || corrected.length > SHARE_WORTH_CORRECTING * change.length) return large;
  return { shift: shift.map((own, j) => (isPlain[j] ? 0 : own)), factor, corrected, isSmall: true };
}
