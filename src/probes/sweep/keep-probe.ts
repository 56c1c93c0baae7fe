import { pMapIterable } from "p-map";
import type { ManifestWarning } from "../../store/manifest.ts";
import { type Calibration, calibrateScores } from "../calibration.ts";
import type { FinalFit } from "../fit-final.ts";
import type { ClassWeight } from "../fit-logistic.ts";
import type { SpanPooling } from "../pooling.ts";
import type { Optimisation, PenaltyScore } from "../probe.ts";
import { type ProbeKind, type ProbeWeights, scaleScore } from "../probe-weights.ts";
import type { TargetLabels } from "./outcomes.ts";
import type { FitJob, KeptProbe, WantedProbe } from "./probe-job.ts";
import { type ScoreTable, scorePenalties, spreadScores } from "./score-table.ts";

/** A probe fitted on all rows that have its position. */
export interface FittedProbe {
  readonly position: string;
  /** null for a probe that reads one token. */
  readonly pooling: SpanPooling | null;
  /** The first of its window. */
  readonly layer: number;
  readonly layerCount: number;
  readonly C: number;
  /** Mean over folds of the AUROC within the fold, out of fold; null if no fold has both classes. */
  readonly auroc: number | null;
  /** [N] scores of each row by the fit without its fold, on the scale of `weights`; NaN where there is none. */
  readonly outOfFold: Float64Array;
  readonly penaltyScores: readonly PenaltyScore[];
  /** P(label = 1) = logistic(score) */
  readonly weights: ProbeWeights;
  /**
   * What turned scores into probabilities for kinds that do not predict any: the probe's own score, such as semantic
   * entropy in nats from ridge, is (score - offset) / slope. null if not applied.
   */
  readonly calibration: Calibration | null;
  /** Rows that have the position, ascending; it was fitted on all of them. */
  readonly rows: Int32Array;
  /** Bound of the coefficients' relative error; null for kinds without an optimum. */
  readonly relativeError: number | null;
  /** How the fit ended, of a probe whose loss may have several minima. */
  readonly optimisation: Optimisation | null;
  readonly warnings: readonly ManifestWarning[];
}

interface KeepSettings {
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  readonly seed: number;
}

/** Probes of one sweep unit. */
export interface OnUnit<Probe> {
  readonly unit: number;
  readonly probes: readonly Probe[];
}

/** Fits probes on all rows, those of one unit together. @param fit runs a job */
export async function* fitKept(
  table: ScoreTable,
  groups: readonly OnUnit<WantedProbe>[],
  base: readonly TargetLabels[],
  settings: KeepSettings,
  fit: (job: FitJob) => Promise<readonly FinalFit[]>,
): AsyncGenerator<OnUnit<KeptProbe>, void> {
  const jobs = groups.map(({ unit, probes }) => planKept(table, unit, probes, base, settings));
  let next = 0;
  for await (const fits of pMapIterable(jobs, fit)) {
    const { unit, probes } = groups[next++]!;
    yield { unit, probes: probes.map((wanted, i) => ({ wanted, fit: fits[i]! })) };
  }
}

/** The job that fits some targets' probes on one unit. */
function planKept(
  table: ScoreTable,
  unit: number,
  wanted: readonly WantedProbe[],
  base: readonly TargetLabels[],
  settings: KeepSettings,
): FitJob {
  const { present, source, pooling } = table.units[unit]!;
  const tasks = wanted.map(({ target, penalty }) => {
    const { labels, values } = base[target]!;
    return {
      labels: Uint8Array.from(present, (row) => labels[row]!),
      values: values === null ? null : Float64Array.from(present, (row) => values[row]!),
      C: table.penalties[penalty]!,
    };
  });
  return { job: "fit", source, pooling, tasks, ...settings };
}

interface DescribeKeptOptions {
  /** [N] of the probe's target */
  readonly labels: Uint8Array;
  /** [N] */
  readonly foldOf: ArrayLike<number>;
  readonly kind: ProbeKind;
}

/** A fitted probe with its out-of-fold scores. */
export function describeKept(
  table: ScoreTable,
  unit: number,
  { wanted: { target, penalty }, fit }: KeptProbe,
  { labels, foldOf, kind }: DescribeKeptOptions,
): FittedProbe {
  const { position, layer, layerCount, present, pooling } = table.units[unit]!;
  const scores = new Float64Array(foldOf.length).fill(Number.NaN);
  for (let fold = 0; fold < table.foldCount; fold++) {
    spreadScores(scores, table.fitOf(unit, [fold], target, penalty).scores, present, foldOf, fold);
  }
  const isCalibrated = kind === "logistic" || kind === "mlp";
  const calibration = isCalibrated ? null : calibrateScores(scores, labels);
  const width = fit.weights.mean.length;
  return {
    position,
    pooling,
    layer,
    layerCount,
    C: table.penalties[penalty]!,
    auroc: table.meanArea(unit, target, penalty),
    outOfFold:
      calibration === null ? scores : scores.map((score) => calibration.slope * score + calibration.offset),
    penaltyScores: scorePenalties(table, unit, target),
    weights: calibration === null ? fit.weights : scaleScore(fit.weights, calibration),
    calibration,
    rows: present,
    relativeError: fit.relativeError,
    optimisation: fit.optimisation ?? null,
    warnings: [
      ...(fit.constantFeatures === width ? [describeConstant(width)] : []),
      ...(fit.converged ? [] : [describeNotConverged(fit)]),
      ...(isCalibrated || calibration !== null ? [] : [NOT_CALIBRATED]),
    ],
  };
}

/** Warning code of a probe that reads the same numbers in every row. */
export const CONSTANT_FEATURES = "constant-features";

const describeConstant = (width: number): ManifestWarning => ({
  code: CONSTANT_FEATURES,
  message: `All ${width} features are the same in every training row, so the probe's scores are all the same.`,
});

const describeNotConverged = ({ relativeError, optimisation }: FinalFit): ManifestWarning => ({
  code: "not-converged",
  message:
    optimisation === undefined
      ? `The fit stopped with coefficients within ${(relativeError ?? Number.NaN).toExponential(1)} of the optimum.`
      : `The fit stopped after ${optimisation.evaluations} passes, with a gradient of ${optimisation.relative_gradient.toExponential(1)} of the weights' norm.`,
});

const NOT_CALIBRATED: ManifestWarning = {
  code: "not-calibrated",
  message:
    "Scores out of fold do not rise with the label, so nothing could be made of them that deserves to be called a " +
    "probability: the probe's scores rank, and mean no more.",
};
