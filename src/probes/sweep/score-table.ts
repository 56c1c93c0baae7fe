import { mean } from "../../math/vector.ts";
import { nameReading } from "../pooling.ts";
import type { LayerScore, NestedFold, PenaltyScore } from "../probe.ts";
import type { OutcomePlan } from "./outcomes.ts";
import type { SweepUnit } from "./sweep-units.ts";

/** A split of the sweep: the folds left out, and the outcomes fitted on the rest. */
export interface SweepSplit {
  readonly excluded: readonly number[];
  readonly outcomes: readonly number[];
}

/** One fit on one split. */
export interface SplitFit {
  /** AUROC within each excluded fold; null where it has one class, or the training rows do. */
  readonly areas: readonly (number | null)[];
  /** [m] of the held rows, ascending, for a split that leaves one fold out; null where there are none. */
  readonly scores: Float64Array | null;
}

/** [split][outcome in the split's order][penalty] */
export type SplitFits = readonly (readonly (readonly SplitFit[])[])[];

/**
 * The splits of a sweep: one fold left out at a time; for a nested estimate also every pair of folds. The fit without
 * folds i and j serves twice: j is the inner fold of the choice tested on i, and vice versa. So ten extra fits of five
 * folds do the work of twenty.
 */
export function planSplits(
  targets: number,
  { without }: OutcomePlan,
  foldCount: number,
  nested: boolean,
): SweepSplit[] {
  const splits: SweepSplit[] = [];
  for (let fold = 0; fold < foldCount; fold++) {
    const own = nested ? without.map((outcomes) => outcomes[fold]!) : [];
    splits.push({ excluded: [fold], outcomes: distinct([...Array(targets).keys(), ...own]) });
  }
  for (let i = 0; nested && i < foldCount; i++) {
    for (let j = i + 1; j < foldCount; j++) {
      const own = without.flatMap((outcomes) => [outcomes[i]!, outcomes[j]!]);
      splits.push({ excluded: [i, j], outcomes: distinct(own) });
    }
  }
  return splits;
}

/** All fits of a sweep. */
export interface ScoreTable {
  readonly units: readonly SweepUnit[];
  /** Ascending. */
  readonly penalties: readonly number[];
  readonly foldCount: number;
  /**
   * @param excluded folds left out, ascending
   * @param penalty  index
   */
  fitOf(unit: number, excluded: readonly number[], outcome: number, penalty: number): SplitFit;
  /** AUROC within one of the excluded folds, or null. */
  areaOf(
    unit: number,
    excluded: readonly number[],
    outcome: number,
    penalty: number,
    fold: number,
  ): number | null;
  /** Mean over the folds of the AUROC within the fold when it is left out, over folds that have one. */
  meanArea(unit: number, outcome: number, penalty: number): number | null;
}

/** @param results [unit] */
export function createScoreTable(
  units: readonly SweepUnit[],
  results: readonly { readonly splits: SplitFits }[],
  splits: readonly SweepSplit[],
  penalties: readonly number[],
  foldCount: number,
): ScoreTable {
  const places = new Map(splits.map(({ excluded }, place) => [excluded.join(), place]));
  const table: ScoreTable = {
    units,
    penalties,
    foldCount,
    fitOf(unit, excluded, outcome, penalty) {
      const split = places.get(excluded.join())!;
      const own = splits[split]!.outcomes.indexOf(outcome);
      return results[unit]!.splits[split]![own]![penalty]!;
    },
    areaOf: (unit, excluded, outcome, penalty, fold) =>
      table.fitOf(unit, excluded, outcome, penalty).areas[excluded.indexOf(fold)]!,
    meanArea(unit, outcome, penalty) {
      const areas = Array.from({ length: foldCount }, (_, fold) =>
        table.areaOf(unit, [fold], outcome, penalty, fold),
      );
      return meanOf(areas);
    },
  };
  return table;
}

/** A choice: indices of a table's unit and penalty, and their AUROC. */
interface Choice {
  readonly unit: number;
  readonly penalty: number;
  readonly area: number;
}

/**
 * The best unit and penalty; ties go to the earlier unit, then the stronger penalty.
 * @param candidates units to choose from
 * @returns null if no area is known
 */
function choose(
  candidates: readonly number[],
  penaltyCount: number,
  areaOf: (unit: number, penalty: number) => number | null,
): Choice | null {
  let best: Choice | null = null;
  for (const unit of candidates) {
    for (let penalty = 0; penalty < penaltyCount; penalty++) {
      const area = areaOf(unit, penalty);
      if (area !== null && area > (best?.area ?? Number.NEGATIVE_INFINITY)) best = { unit, penalty, area };
    }
  }
  return best;
}

/** The unit and penalty of a target's probe, and whether scores support the choice. */
export interface ProbeChoice {
  readonly unit: number;
  readonly penalty: number;
  readonly isKnown: boolean;
}

/** The penalty where scores cannot distinguish them. */
const MIDDLE_PENALTY = 1e-2;

/** @param candidates units to choose from */
export function chooseProbe(table: ScoreTable, candidates: readonly number[], target: number): ProbeChoice {
  const { penalties } = table;
  const known = choose(candidates, penalties.length, (unit, penalty) =>
    table.meanArea(unit, target, penalty),
  );
  if (known !== null) return { unit: known.unit, penalty: known.penalty, isKnown: true };
  const penalty = Math.max(0, penalties.indexOf(MIDDLE_PENALTY));
  return { unit: candidates.at(-1)!, penalty, isKnown: candidates.length === 1 };
}

/** Mean of those that are known; null if none is. */
function meanOf(areas: readonly (number | null)[]): number | null {
  const known = areas.filter((area) => area !== null);
  return known.length === 0 ? null : mean(known);
}

const distinct = (values: readonly number[]): number[] => [...new Set(values)];

/** One unit's scores. @param names of the targets, by index */
export function scoreLayer(
  table: ScoreTable,
  unit: number,
  constantFeatures: number,
  names: readonly string[],
): LayerScore<string> {
  const { position, pooling, layer, present } = table.units[unit]!;
  const areas = names.map((name, target): [string, number | null] => {
    const best = choose([unit], table.penalties.length, (own, penalty) =>
      table.meanArea(own, target, penalty),
    );
    return [name, best?.area ?? null];
  });
  return {
    position: nameReading(position, pooling),
    layer,
    row_count: present.length,
    constant_features: constantFeatures,
    auroc: Object.fromEntries(areas),
  };
}

/** The penalties tried at one unit, in their order. */
export function scorePenalties(table: ScoreTable, unit: number, outcome: number): PenaltyScore[] {
  return table.penalties.map((C, penalty) => ({ C, auroc: table.meanArea(unit, outcome, penalty) }));
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
    const { position: place, pooling, layer, present } = table.units[chosen.unit]!;
    const position = nameReading(place, pooling);
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
