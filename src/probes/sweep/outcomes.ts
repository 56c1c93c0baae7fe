import { SepError } from "../../errors.ts";
import { chooseSeThreshold, type SeThreshold, type SeThresholdChoice } from "../se-threshold.ts";
import type { FoldAssignment } from "../split-questions.ts";

/** What probes are fitted to: labels, or numbers with the rule that turns them into labels. */
export type ProbeTargetSpec =
  | {
      /** [N] 0 or 1; 1 is the uncertain side, such as a wrong answer. */
      readonly labels: ArrayLike<number>;
    }
  | {
      /** [N] one number per question, such as its semantic entropy in nats, on each of the question's rows. */
      readonly values: ArrayLike<number>;
      /** Where a value counts as high, label 1; chosen again inside each outer fold of a nested estimate. */
      readonly threshold: SeThresholdChoice;
    };

/** A target's labels, with a threshold chosen on some questions. */
export interface TargetLabels {
  /** [N] */
  readonly labels: Uint8Array;
  /** [N] the numbers behind the labels; null where there are none. */
  readonly values: Float64Array | null;
  readonly threshold: SeThreshold | null;
}

/** The distinct label vectors that a sweep fits, and where each is used. */
export interface OutcomePlan {
  /** Those of the targets, from all rows, at the targets' indices; then those from all rows except a fold's. */
  readonly outcomes: readonly TargetLabels[];
  /** [target][fold] index of the labels whose threshold was chosen without the fold; the target's own if equal. */
  readonly without: readonly (readonly number[])[];
}

/**
 * A target's labels; a threshold is chosen on the questions of some rows, and all rows are labelled.
 * @param isOwn whether a row may be looked at
 * @throws SepError `bad-option` for a length that is not the rows' or a value that is no number, `too-few-questions`
 */
export function makeOutcome(
  name: string,
  spec: ProbeTargetSpec,
  questionIds: readonly string[],
  isOwn: (row: number) => boolean,
): TargetLabels {
  const given = "labels" in spec ? spec.labels : spec.values;
  if (given.length !== questionIds.length) {
    throw new SepError(
      "bad-option",
      `Target ${name} has ${given.length} rows, there are ${questionIds.length} question ids; give one per row.`,
    );
  }
  if ("labels" in spec) {
    const wrong = Array.from(spec.labels).find((label) => label !== 0 && label !== 1);
    if (wrong !== undefined)
      throw new SepError("bad-option", `Target ${name} has a label ${wrong}; labels are 0 or 1.`);
    return { labels: Uint8Array.from(spec.labels), values: null, threshold: null };
  }
  const values = Float64Array.from(spec.values);
  if (values.some((value) => !Number.isFinite(value)))
    throw new SepError(
      "bad-option",
      `Target ${name} has a value that is not a finite number. Leave out its rows.`,
    );
  // Each question once where its rows share the value: dropped rows must not affect the threshold.
  const distinct = new Map<string, number>();
  questionIds.forEach((question, row) => {
    if (isOwn(row)) distinct.set(JSON.stringify([question, values[row]!]), values[row]!);
  });
  const threshold = chooseSeThreshold(Float64Array.from(distinct.values()), { method: spec.threshold });
  return {
    labels: Uint8Array.from(values, (value) => (value > threshold.threshold ? 1 : 0)),
    values,
    threshold,
  };
}

/**
 * Adds to the targets' labels those with thresholds chosen without each fold.
 * @param base [target]
 */
export function planOutcomes(
  targets: Readonly<Record<string, ProbeTargetSpec>>,
  base: readonly TargetLabels[],
  questionIds: readonly string[],
  { foldOf, foldCount }: FoldAssignment,
): OutcomePlan {
  const outcomes = [...base];
  const without = Object.entries(targets).map(([name, spec], target) =>
    Array.from({ length: foldCount }, (_, fold) => {
      if ("labels" in spec) return target;
      const own = makeOutcome(name, spec, questionIds, (row) => foldOf[row] !== fold);
      if (own.labels.every((label, row) => label === base[target]!.labels[row])) return target;
      return outcomes.push(own) - 1;
    }),
  );
  return { outcomes, without };
}
