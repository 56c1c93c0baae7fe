import { auroc } from "../../math/auroc.ts";
import { type FeatureSource, readFeatures } from "../../states/feature-source.ts";
import { hasBothClasses } from "../cross-validate.ts";
import { type FinalFit, fitFinal } from "../fit-final.ts";
import { type ClassWeight, sweepTolerance } from "../fit-logistic.ts";
import {
  createSplitFitter,
  MEMORY_OF_STATES,
  pickRows,
  type SplitFitter,
  type SplitTask,
} from "../fit-split.ts";
import type { ProbeKind } from "../probe-kind.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { createScratch, type Scratch } from "../products/scratch.ts";
import { standardiseRows } from "../scaler.ts";
import type { KeptProbe, WantedProbe } from "../sweep/keep-probe.ts";
import { chooseProbe, createScoreTable } from "../sweep/score-table.ts";

/** What every job on one position and window says. All of a job is plain data, since it may go to another thread. */
interface JobBase {
  readonly source: FeatureSource;
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  readonly seed: number;
}

/** Fits probes without some folds, and scores those folds. */
export interface ScoreJob extends JobBase {
  readonly job: "score";
  /** [N] */
  readonly foldOf: Uint8Array;
  /** Vectors [N] that probes are fitted to. */
  readonly outcomes: readonly Omit<SplitTask, "C">[];
  readonly penalties: readonly number[];
  /** The folds left out of each split, and which outcomes it fits. */
  readonly splits: readonly { readonly excluded: readonly number[]; readonly outcomes: readonly number[] }[];
  /** Outcomes to fit on all rows besides, each at its best penalty. */
  readonly kept: readonly number[];
}

export interface ScoreResult {
  readonly constantFeatures: number;
  /** [split][outcome in the split's order][penalty] */
  readonly splits: readonly (readonly (readonly SplitFit[])[])[];
  /** One a kept outcome. */
  readonly kept: readonly KeptProbe[];
}

/** One fit on one split. */
export interface SplitFit {
  /** AUROC within each excluded fold; null where it has one class, or the training rows do. */
  readonly areas: readonly (number | null)[];
  /** [m] of the held rows, ascending, for a split that leaves one fold out; null where there are none. */
  readonly scores: Float64Array | null;
}

/** Fits the probes that are kept, on all rows. */
export interface FitJob extends JobBase {
  readonly job: "fit";
  readonly tasks: readonly SplitTask[];
}

/** One a task. */
export type FitResult = readonly FinalFit[];

/** Fits on labels drawn under the null hypothesis that they say nothing about the features. */
export interface PermuteJob extends JobBase {
  readonly job: "permute";
  readonly foldOf: Uint8Array;
  /** Folds to leave out, one at a time. */
  readonly folds: readonly number[];
  /** [draw][N] */
  readonly draws: readonly Uint8Array[];
  readonly C: number;
}

/** [draw][fold in the job's order] AUROC within the fold; NaN where it has one class. */
export type PermuteResult = readonly Float64Array[];

export type ProbeJob = ScoreJob | FitJob | PermuteJob;

/**
 * Does one job on this thread.
 * @param scratch of no other job that is under way
 */
export async function runProbeJob(
  job: ProbeJob,
  multiplier: MatrixMultiplier,
  scratch: Scratch = createScratch(),
  signal?: AbortSignal,
): Promise<ScoreResult | FitResult | PermuteResult> {
  const { kind, classWeight, seed } = job;
  const { features, width } = await readFeatures(job.source, (size) => scratch.take(MEMORY_OF_STATES, size));
  signal?.throwIfAborted();
  const options = { kind, classWeight, seed, signal };
  if (job.job === "fit") return fitFinal(multiplier, standardiseRows(features, width), job.tasks, options);
  const fitter = createSplitFitter(multiplier, features, width, job.foldOf, {
    ...options,
    scratch,
    tolerance: sweepTolerance(job.foldOf.length),
    shares: (job.job === "score" ? job.splits : job.folds).length > 1,
  });
  if (job.job === "permute") return permute(fitter, job);
  const splits = await scoreSplits(fitter, job);
  const wanted = chooseKept(job, splits);
  const fits = wanted.length > 0 ? await fitChosen(multiplier, fitter, job, wanted, signal) : [];
  return {
    constantFeatures: fitter.constantFeatures,
    splits,
    kept: wanted.map((own, i) => ({ wanted: own, fit: fits[i]! })),
  };
}

/** Fits on all rows what the splits' scores have chosen. */
function fitChosen(
  multiplier: MatrixMultiplier,
  fitter: SplitFitter,
  { outcomes, penalties, kind, classWeight, seed }: ScoreJob,
  wanted: readonly WantedProbe[],
  signal: AbortSignal | undefined,
): Promise<FinalFit[]> {
  const { order, shared, ...rows } = fitter.standardiseAll();
  const tasks = wanted.map(({ target, penalty }) =>
    pickRows({ ...outcomes[target]!, C: penalties[penalty]! }, order),
  );
  return fitFinal(multiplier, rows, tasks, { kind, classWeight, seed, shared, signal });
}

function chooseKept({ kept, splits, penalties }: ScoreJob, found: ScoreResult["splits"]): WantedProbe[] {
  const foldCount = splits.filter(({ excluded }) => excluded.length === 1).length;
  const table = createScoreTable([], [{ splits: found }], splits, penalties, foldCount);
  return kept.map((target) => ({ target, penalty: chooseProbe(table, [0], target).penalty }));
}

async function scoreSplits(
  fitter: SplitFitter,
  { splits, outcomes, penalties, foldOf }: ScoreJob,
): Promise<SplitFit[][][]> {
  const results: SplitFit[][][] = [];
  for (const { excluded, outcomes: chosen } of splits) {
    const tasks = chosen.flatMap((outcome) => penalties.map((C) => ({ ...outcomes[outcome]!, C })));
    const { held, scores } = await fitter.fit(excluded, tasks);
    const fits = tasks.map(({ labels }, task): SplitFit => {
      const own = scores[task]!;
      return {
        areas: excluded.map((fold) => foldArea(own, labels, held, foldOf, fold)),
        scores: excluded.length === 1 ? own : null,
      };
    });
    results.push(chosen.map((_, o) => fits.slice(o * penalties.length, (o + 1) * penalties.length)));
  }
  return results;
}

async function permute(
  fitter: SplitFitter,
  { folds, draws, C, foldOf }: PermuteJob,
): Promise<Float64Array[]> {
  const areas = draws.map(() => new Float64Array(folds.length));
  for (const [f, fold] of folds.entries()) {
    const tasks = draws.map((labels) => ({ labels, values: null, C }));
    const { held, scores } = await fitter.fit([fold], tasks);
    scores.forEach((own, draw) => {
      areas[draw]![f] = foldArea(own, draws[draw]!, held, foldOf, fold) ?? Number.NaN;
    });
  }
  return areas;
}

function foldArea(
  scores: Float64Array | null,
  labels: Uint8Array,
  held: Int32Array,
  foldOf: Uint8Array,
  fold: number,
): number | null {
  if (scores === null) return null;
  const ownLabels: number[] = [];
  const ownScores: number[] = [];
  for (let place = 0; place < held.length; place++) {
    if (foldOf[held[place]!] !== fold) continue;
    ownLabels.push(labels[held[place]!]!);
    ownScores.push(scores[place]!);
  }
  return hasBothClasses(ownLabels) ? auroc(ownScores, ownLabels) : null;
}
