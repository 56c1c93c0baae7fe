import { isUnitPosition, type TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import type { RunRecord } from "../samples/run-record.ts";
import type { StateUnit } from "../states/state-index.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { findEquations } from "../text/find-steps.ts";
import { mathEquivalent } from "../text/math-equivalent.ts";

/** Labels that follow from what `sep label` measures. */
export const MEASURED_LABELS = ["inconsistent", "clusters"] as const;
export type MeasuredLabel = (typeof MEASURED_LABELS)[number];

/**
 * What label 1 of a row means; a probe's file names it.
 * - `final-incorrect`: the answer that the row is in ends wrong.
 * - `step-incorrect`: the arithmetic of the row's own text does not hold.
 * - `spans`: what the user labelled the marked stretch.
 * - `inconsistent`: the question's other samples do not entail the row's text; see `UnitValue`.
 * - `clusters`: answers that go on from the end of the row's text disagree in meaning.
 */
export const ROW_LABELS = ["final-incorrect", "step-incorrect", "spans", ...MEASURED_LABELS] as const;
export type RowLabel = (typeof ROW_LABELS)[number];

/**
 * What label 1 of a chain's step means, where the chain may be left there.
 * - `not-settled`: the answer that is forced there is not the chain's own.
 * - `forced-incorrect`: the answer that is forced there is wrong.
 */
export type ChainLabel = "final-incorrect" | "not-settled" | "forced-incorrect";

/** Why a row has no label. */
export type Unlabelled = "censored" | "no-equation" | "unmarked" | "unmeasured" | "ungraded";

/** What was measured of parts of answers, and above what it counts as uncertain. */
export interface MeasuredUnits {
  /** @returns undefined for a part that was not measured */
  measuredAt(run: Pick<RunRecord, "question_id" | "run_id">, unit: StateUnit): number | undefined;
  readonly threshold: number;
}

/** Whether a label follows from what `sep label` measured. */
export const isMeasured = (label: RowLabel): label is MeasuredLabel =>
  (MEASURED_LABELS as readonly string[]).includes(label);

/**
 * Labels one row.
 * @param unit null for the row of a whole answer
 * @returns 1 for the uncertain side, or why it has none: a chain that was cut off is neither right nor wrong
 */
export function labelRow(
  label: RowLabel,
  run: Pick<RunRecord, "question_id" | "run_id" | "is_correct" | "finish_reason">,
  unit: StateUnit | null,
  measured: MeasuredUnits | null = null,
): 0 | 1 | Unlabelled {
  if (isMeasured(label)) {
    const value = unit === null ? undefined : measured?.measuredAt(run, unit);
    return value === undefined ? "unmeasured" : value > measured!.threshold ? 1 : 0;
  }
  if (label === "spans") return unit?.label ?? "unmarked";
  if (label === "step-incorrect") return labelStep(unit?.text ?? "");
  if (unit !== null && run.finish_reason === "length") return "censored";
  if (run.is_correct === null) return "ungraded";
  return run.is_correct ? 0 : 1;
}

/** The label that a position's rows have if none is asked for. */
export const defaultLabel = (position: TracePosition): RowLabel =>
  position === "spans" ? "spans" : "final-incorrect";

/**
 * Refuses a label that a position's rows cannot have.
 * @throws SepError `bad-option`
 */
export function requireLabel(label: RowLabel, position: TracePosition): void {
  const isText = isUnitPosition(position) && position !== "every-token";
  const reason =
    label === "spans" && position !== "spans"
      ? "only marked stretches have it: use --position spans"
      : (label === "step-incorrect" || isMeasured(label)) && !isText
        ? "it is of a stretch of text: use --position step-end, sentence-end or spans"
        : null;
  if (reason === null) return;
  throw new SepError("bad-option", `Got the label ${label} for probes that read ${position}, but ${reason}.`);
}

/**
 * What was left out of a split.
 * @param rows how many have a label
 */
export function warnOfUnlabelled(
  split: string,
  unlabeled: ReadonlyMap<Unlabelled, number>,
  rows: number,
): ManifestWarning[] {
  return [...unlabeled].map(([reason, count]) => ({
    code: "unlabeled-rows",
    message: `${split}: ${count} rows were left out, and ${rows} kept: ${WITHOUT_LABEL[reason]}.`,
  }));
}

const WITHOUT_LABEL: Readonly<Record<Unlabelled, string>> = {
  censored:
    "their answers were cut off by the token limit, so nobody knows whether they would have ended wrong",
  "no-equation": "they have no equation of numbers, so their arithmetic neither holds nor fails",
  unmarked: "the user has not labeled them",
  unmeasured: "nothing was measured of them",
  ungraded: "their answers have no grade",
};

/** Whether the equations of a step hold, each side against the next. */
function labelStep(text: string): 0 | 1 | "no-equation" {
  const equations = findEquations(text);
  if (equations.length === 0) return "no-equation";
  const holds = equations.every(({ sides }) =>
    sides.slice(1).every((side, i) => mathEquivalent(sides[i]!, side)),
  );
  return holds ? 0 : 1;
}
