import { choose, type ScoreTable } from "./sweep/score-table.ts";

/** What the probes of a study predict. */
export type ProbeTarget = "incorrect" | "high-semantic-entropy";

/** How well each target can be read at one position and layer, out of fold, at the best penalty there. */
export interface LayerScore<Target extends string = ProbeTarget> {
  readonly position: string;
  /** The first, for a window of layers. */
  readonly layer: number;
  readonly row_count: number;
  /** Features that are the same in every row: all of them at a token that is always the same, in layer 0. */
  readonly constant_features: number;
  /** Mean over folds; null where a target has one class. */
  readonly auroc: Readonly<Record<Target, number | null>>;
}

/** One tried penalty. */
export interface PenaltyScore {
  readonly C: number;
  readonly auroc: number | null;
}

/** One unit's scores; the targets' outcomes are at the places of their names. */
export function scoreLayer(
  table: ScoreTable,
  unit: number,
  constantFeatures: number,
  names: readonly string[],
): LayerScore<string> {
  const { position, layer, present } = table.units[unit]!;
  const areas = names.map((name, target): [string, number | null] => {
    const best = choose([unit], table.penalties.length, (own, penalty) =>
      table.meanArea(own, target, penalty),
    );
    return [name, best?.area ?? null];
  });
  return {
    position,
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
