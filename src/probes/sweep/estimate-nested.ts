import type { OutcomePlan } from "./outcomes.ts";
import { choose, meanOf, type ScoreTable } from "./score-table.ts";

/** What was chosen without one outer fold, and its score there. */
export interface NestedFold {
  readonly position: string | null;
  readonly layer: number | null;
  readonly C: number | null;
  /** Above it a value counts as high; null for a target that has labels. */
  readonly threshold: number | null;
  readonly auroc: number | null;
}

/**
 * How well the whole procedure does on questions that none of its choices saw: layer, position, penalty and
 * threshold are chosen without the outer fold, which is then scored.
 */
export interface NestedEstimate {
  /** Mean over the outer folds of the AUROC within the fold; null if none has both classes. */
  readonly auroc: number | null;
  readonly folds: readonly NestedFold[];
  /** [N] scores of the outer folds' own choices; NaN where there is none. */
  readonly scores: Float64Array;
}

/**
 * @param candidates units to choose from
 * @param foldOf     [N]
 */
export function estimateNested(
  table: ScoreTable,
  { outcomes, without }: OutcomePlan,
  target: number,
  candidates: readonly number[],
  foldOf: ArrayLike<number>,
): NestedEstimate {
  const scores = new Float64Array(foldOf.length).fill(Number.NaN);
  const folds = Array.from({ length: table.foldCount }, (_, outer): NestedFold => {
    const outcome = without[target]![outer]!;
    const threshold = outcomes[outcome]!.threshold?.threshold ?? null;
    const chosen = choose(candidates, table.penalties.length, (unit, penalty) =>
      meanOf(
        Array.from({ length: table.foldCount }, (_, inner) => {
          if (inner === outer) return null;
          const pair = [Math.min(inner, outer), Math.max(inner, outer)];
          return table.areaOf(unit, pair, outcome, penalty, inner);
        }),
      ),
    );
    if (chosen === null) return { position: null, layer: null, C: null, threshold, auroc: null };
    const { position, layer, present } = table.units[chosen.unit]!;
    const { areas, scores: own } = table.fitOf(chosen.unit, [outer], outcome, chosen.penalty);
    spreadScores(scores, own, present, foldOf, outer);
    return { position, layer, C: table.penalties[chosen.penalty]!, threshold, auroc: areas[0]! };
  });
  return { auroc: meanOf(folds.map((fold) => fold.auroc)), folds, scores };
}

/**
 * Puts a fold's scores at its rows.
 * @param scores [N] are changed
 * @param own    [m] scores of the fold's rows among `present`, ascending; null for none
 */
export function spreadScores(
  scores: Float64Array,
  own: Float64Array | null,
  present: Int32Array,
  foldOf: ArrayLike<number>,
  fold: number,
): void {
  if (own === null) return;
  let next = 0;
  for (const row of present) if (foldOf[row] === fold) scores[row] = own[next++]!;
}
