import { SCORE_NAMES, type ScoreName } from "../../src/evaluation/score-names.ts";

/** When the probes of a study that reads the end of the reasoning are known. */
export const DURING = { accuracy_probe: "during", se_probe: "during" } as const;

/** The scores of a split of which only some are known. */
export const fillScores = (
  known: Readonly<Partial<Record<ScoreName, Float64Array>>>,
  rowCount: number,
): Readonly<Record<ScoreName, Float64Array>> =>
  Object.fromEntries(
    SCORE_NAMES.map((name) => [name, known[name] ?? new Float64Array(rowCount).fill(Number.NaN)]),
  ) as Record<ScoreName, Float64Array>;
