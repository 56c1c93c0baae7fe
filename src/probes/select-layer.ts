import type { TracePosition } from "../tracing/positions.ts";
import { type FoldAssignment, hasBothClasses, meanFoldAuroc, scoreOutOfFold } from "./cross-validate.ts";
import type { ClassWeight } from "./fit-logistic.ts";
import type { HiddenStates } from "./hidden-states.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";
import { fitScaler } from "./scaler.ts";

/** What the probes of one sweep predict. */
const PROBE_TARGETS = ["incorrect", "high-semantic-entropy"] as const;
export type ProbeTarget = (typeof PROBE_TARGETS)[number];

/** Training rows as a sweep sees them. */
export interface SweepRows {
  /** For each position [n]: row of the hidden-state tensors, -1 where the sample has no such token. */
  readonly stateRows: Readonly<Partial<Record<TracePosition, Int32Array>>>;
  /** [n] 0 or 1 for each target; a target with one class only is skipped. */
  readonly labels: Readonly<Record<ProbeTarget, Uint8Array>>;
  readonly folds: FoldAssignment;
}

/** How well each target can be read at one position and layer, out of fold. */
export interface LayerScore {
  readonly position: TracePosition;
  readonly layer: number;
  readonly row_count: number;
  /** Features that are the same in every row: all of them at a token that is always the same, in layer 0. */
  readonly constant_features: number;
  /** Mean over folds; null where a target has one class. */
  readonly auroc: Readonly<Record<ProbeTarget, number | null>>;
}

/**
 * The penalty all layers are compared at. Hidden states have far more directions than a few hundred questions can
 * pin down, and strong penalties win nearly everywhere; the kept layer gets its own C afterwards.
 */
export const SWEEP_C = 1e-2;
/** The penalties tried at the kept layer. */
const C_GRID: readonly number[] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100];

/**
 * Scores every layer at every position by cross-validation inside the given (training) rows, reading one layer
 * at a time.
 * @returns yields one score as it is made
 */
export async function* sweepLayers(
  multiplier: MatrixMultiplier,
  hidden: HiddenStates,
  { stateRows, labels, folds }: SweepRows,
  { C = SWEEP_C, classWeight = "none" }: { readonly C?: number; readonly classWeight?: ClassWeight } = {},
): AsyncGenerator<LayerScore, void> {
  for (const position of hidden.positions) {
    const states = stateRows[position];
    if (states === undefined) continue;
    const present = Array.from(states.keys()).filter((row) => states[row]! >= 0);
    if (present.length === 0) continue;
    const ownStates = present.map((row) => states[row]!);
    const ownFolds = { ...folds, foldOf: present.map((row) => folds.foldOf[row]!) };
    const targets = PROBE_TARGETS.map((target) => ({
      target,
      labels: Uint8Array.from(present, (row) => labels[target][row]!),
    }));
    const learnable = targets.filter((each) => hasBothClasses(each.labels));
    for (const layer of hidden.layers) {
      const features = await hidden.read(position, layer, ownStates);
      const scores = await scoreOutOfFold(
        multiplier,
        features,
        hidden.width,
        learnable.map((each) => ({ labels: each.labels, C, classWeight })),
        ownFolds,
      );
      const auroc: Record<ProbeTarget, number | null> = { incorrect: null, "high-semantic-entropy": null };
      learnable.forEach((each, a) => {
        auroc[each.target] = meanFoldAuroc(scores[a]!, each.labels, ownFolds);
      });
      const everyRow = Array.from(present.keys());
      yield {
        position,
        layer,
        row_count: present.length,
        constant_features: fitScaler(features, hidden.width, everyRow).constantFeatures,
        auroc,
      };
    }
  }
}

/**
 * The layer where a target reads best at a position; the earlier of equals.
 * @returns null if no layer there has a score
 */
export function pickLayer(
  scores: readonly LayerScore[],
  position: TracePosition,
  target: ProbeTarget,
): LayerScore | null {
  let best: LayerScore | null = null;
  for (const score of scores) {
    const area = score.position === position ? score.auroc[target] : null;
    if (area !== null && area > (best?.auroc[target] ?? Number.NEGATIVE_INFINITY)) best = score;
  }
  return best;
}

/** One tried penalty. */
export interface PenaltyScore {
  readonly C: number;
  readonly auroc: number | null;
}

/**
 * Scores penalties by cross-validation on one layer's features.
 * @param features [n,d]
 * @param labels   [n]
 * @returns one score a penalty, in the grid's order
 */
export async function scorePenalties(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  width: number,
  labels: Uint8Array,
  folds: FoldAssignment,
  {
    grid = C_GRID,
    classWeight = "none",
  }: { readonly grid?: readonly number[]; readonly classWeight?: ClassWeight } = {},
): Promise<PenaltyScore[]> {
  const tasks = grid.map((C) => ({ labels, C, classWeight }));
  const scores = await scoreOutOfFold(multiplier, features, width, tasks, folds);
  return grid.map((C, i) => ({ C, auroc: meanFoldAuroc(scores[i]!, labels, folds) }));
}

/** The best penalty, the strongest (smallest C) of equals. @returns null if none has a score */
export function pickPenalty(scores: readonly PenaltyScore[]): number | null {
  const ordered = scores.filter((score) => score.auroc !== null).toSorted((a, b) => a.C - b.C);
  if (ordered.length === 0) return null;
  return ordered.reduce((best, score) => (score.auroc! > best.auroc! ? score : best)).C;
}
