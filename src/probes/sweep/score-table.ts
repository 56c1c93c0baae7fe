import { mean } from "../../math/vector.ts";
import type { ScoreJob, ScoreResult, SplitFit } from "../jobs/probe-job.ts";
import type { OutcomePlan } from "./outcomes.ts";
import type { ProbeUnit } from "./units.ts";

/** A split of the sweep: the folds left out, and the outcomes fitted on the rest. */
export type SweepSplit = ScoreJob["splits"][number];

/**
 * The splits of a sweep: one fold left out at a time; for a nested estimate also every pair of folds. The fit without
 * folds i and j serves twice: to choose with j for what is then tested on i, and the other way round. So ten more fits
 * of five folds do what twenty would.
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
  readonly units: readonly ProbeUnit[];
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
  units: readonly ProbeUnit[],
  results: readonly Pick<ScoreResult, "splits">[],
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

/** What was chosen: places in a table's units and penalties, and the area that they were chosen for. */
export interface Choice {
  readonly unit: number;
  readonly penalty: number;
  readonly area: number;
}

/**
 * The best unit and penalty; of equals the earlier unit, then the stronger penalty.
 * @param candidates units to choose from
 * @returns null if no area is known
 */
export function choose(
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

/** Where a target's probe is kept, and whether that is more than a guess. */
export interface ProbeChoice {
  readonly unit: number;
  readonly penalty: number;
  readonly isKnown: boolean;
}

/** The penalty where none can be told from another. */
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
export function meanOf(areas: readonly (number | null)[]): number | null {
  const known = areas.filter((area) => area !== null);
  return known.length === 0 ? null : mean(known);
}

const distinct = (values: readonly number[]): number[] => [...new Set(values)];
