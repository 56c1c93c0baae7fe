import { auroc } from "../math/auroc.ts";
import { createFastDesign } from "./design-matrix.ts";
import { fitLogistic, type LogisticFit, type LogisticTask, SWEEP_TOLERANCE } from "./fit-logistic.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";
import { applyScaler, fitScaler } from "./scaler.ts";

/** Folds made by `groupedStratifiedFolds`. */
export interface FoldAssignment {
  /** [n] 0..k-1 */
  readonly foldOf: ArrayLike<number>;
  readonly foldCount: number;
}

/**
 * Scores every row by probes that were trained without its fold; features are standardised inside each fold.
 * @param features [n,d]
 * @param tasks    labels [n] and penalty of each probe
 * @returns [task][n] linear scores; NaN in a fold whose training rows had one class only
 */
export async function scoreOutOfFold(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  width: number,
  tasks: readonly LogisticTask[],
  { foldOf, foldCount }: FoldAssignment,
): Promise<Float64Array[]> {
  const rowCount = foldOf.length;
  const scores = tasks.map(() => new Float64Array(rowCount).fill(Number.NaN));
  const standardised = new Float32Array(rowCount * width);
  for (let fold = 0; fold < foldCount; fold++) {
    const all = Array.from({ length: rowCount }, (_, row) => row);
    const trained = all.filter((row) => foldOf[row] !== fold);
    const held = all.filter((row) => foldOf[row] === fold);
    const fitted = tasks.flatMap((task, index) => {
      const labels = Uint8Array.from(trained, (row) => task.labels[row]!);
      return hasBothClasses(labels) ? [{ index, task: { ...task, labels } }] : [];
    });
    if (fitted.length === 0 || held.length === 0) continue;
    const scaler = fitScaler(features, width, trained);
    const design = createFastDesign(
      multiplier,
      applyScaler(scaler, features, trained, standardised),
      trained.length,
      width,
    );
    const fits = await fitLogistic(
      design,
      fitted.map(({ task }) => task),
      { tolerance: SWEEP_TOLERANCE },
    );
    const heldFeatures = applyScaler(scaler, features, held, standardised);
    fits.forEach((fit, a) => {
      const own = scores[fitted[a]!.index]!;
      held.forEach((row, i) => {
        own[row] = linearScore(fit, heldFeatures, i);
      });
    });
  }
  return scores;
}

/**
 * Mean over folds of the AUROC within the fold, over folds that have scores and both classes.
 * @returns null if there is no such fold
 */
export function meanFoldAuroc(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  { foldOf, foldCount }: FoldAssignment,
): number | null {
  const areas: number[] = [];
  for (let fold = 0; fold < foldCount; fold++) {
    const rows = Array.from({ length: labels.length }, (_, row) => row).filter(
      (row) => foldOf[row] === fold && !Number.isNaN(scores[row]),
    );
    const own = rows.map((row) => labels[row]!);
    if (!hasBothClasses(own)) continue;
    areas.push(
      auroc(
        rows.map((row) => scores[row]!),
        own,
      ),
    );
  }
  return areas.length === 0 ? null : areas.reduce((sum, area) => sum + area, 0) / areas.length;
}

/** Whether 0 and 1 both occur. */
export function hasBothClasses(labels: ArrayLike<number>): boolean {
  const values = Array.from(labels);
  return values.includes(0) && values.includes(1);
}

function linearScore({ coefficients, intercept }: LogisticFit, features: Float32Array, row: number): number {
  const start = row * coefficients.length;
  let sum = intercept;
  for (let j = 0; j < coefficients.length; j++) sum += coefficients[j]! * features[start + j]!;
  return sum;
}
