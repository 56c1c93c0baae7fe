import { auroc } from "../../math/auroc.ts";
import { type Allocate, allocateNew } from "../../math/vector.ts";
import type { FeatureSource, Features } from "../../states/feature-source.ts";
import { type FinalFit, fitFinal } from "../fit-final.ts";
import { type ClassWeight, sweepTolerance } from "../fit-logistic.ts";
import {
  createSplitFitter,
  type HeldScores,
  MEMORY_OF_STATES,
  pickRows,
  type SplitFitter,
  type SplitTask,
} from "../fit-split.ts";
import { createPooledFitter } from "../pooled/pooled-fitter.ts";
import type { SpanSource } from "../pooled/token-blocks.ts";
import type { SpanPooling } from "../pooling.ts";
import type { ProbeKind } from "../probe-weights.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { createScratch, type Scratch } from "../products/scratch.ts";
import { standardiseRows } from "../scaler.ts";
import { hasBothClasses } from "../split-questions.ts";
import {
  chooseProbe,
  createScoreTable,
  type SplitFit,
  type SplitFits,
  type SweepSplit,
} from "./score-table.ts";

/** What every job on one sweep unit has. A job is plain data, since it may go to another thread. */
interface JobBase {
  readonly source: FeatureSource;
  /** null where each row is one state. */
  readonly pooling: SpanPooling | null;
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
  /** [penalty] whether it is fitted; the others have no scores */
  readonly isTried: readonly boolean[];
  readonly splits: readonly SweepSplit[];
  /** Outcomes to fit on all rows as well, each at its best penalty. */
  readonly kept: readonly number[];
}

/** A probe to fit on one sweep unit. */
export interface WantedProbe {
  readonly target: number;
  /** Index of the penalty. */
  readonly penalty: number;
}

/** A wanted probe, fitted. */
export interface KeptProbe {
  readonly wanted: WantedProbe;
  readonly fit: FinalFit;
}

export interface ScoreResult {
  readonly constantFeatures: number;
  readonly splits: SplitFits;
  /** One per kept outcome. */
  readonly kept: readonly KeptProbe[];
}

/** Fits the probes that are kept, on all rows. */
export interface FitJob extends JobBase {
  readonly job: "fit";
  readonly tasks: readonly SplitTask[];
}

/** One per task. */
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

/** Runs jobs, on threads of its own or on this one. Jobs may be submitted all at once; they wait their turn. */
export interface ProbeEngine extends AsyncDisposable {
  /** Jobs that run at a time. */
  readonly concurrency: number;
  score(job: ScoreJob): Promise<ScoreResult>;
  fit(job: FitJob): Promise<FitResult>;
  permute(job: PermuteJob): Promise<PermuteResult>;
}

/** What jobs need. */
interface JobTools {
  readonly multiplier: MatrixMultiplier;
  /** @param allocate gives the features their memory */
  readFeatures(source: FeatureSource, allocate: Allocate): Promise<Features>;
  /** Not shared with another running job. */
  readonly scratch?: Scratch;
}

/**
 * An engine on this thread, which runs one job after the other.
 * @param tools belong to the engine, which disposes of the multiplier
 */
export function createProbeEngine(
  { multiplier, readFeatures }: Omit<JobTools, "scratch">,
  signal?: AbortSignal,
): ProbeEngine {
  const tools = { multiplier, readFeatures, scratch: createScratch() };
  const closed = new AbortController();
  const either = signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal]);
  let last: Promise<unknown> = Promise.resolve();
  const run = (job: ProbeJob): Promise<unknown> => {
    const turn = last.then(() => {
      either.throwIfAborted();
      return runProbeJob(job, tools, either);
    });
    last = turn.catch(() => undefined); // whoever submitted the job gets the error
    return turn;
  };
  return {
    concurrency: 1,
    score: (job) => run(job) as Promise<ScoreResult>,
    fit: (job) => run(job) as Promise<FitResult>,
    permute: (job) => run(job) as Promise<PermuteResult>,
    async [Symbol.asyncDispose]() {
      closed.abort();
      await last;
      await multiplier[Symbol.asyncDispose]();
    },
  };
}

/** Runs one job on this thread. */
export async function runProbeJob(
  job: ProbeJob,
  { multiplier, readFeatures, scratch = createScratch() }: JobTools,
  signal?: AbortSignal,
): Promise<ScoreResult | FitResult | PermuteResult> {
  const { kind, classWeight, seed } = job;
  if (isTokenwise(job)) return runPooledJob(job, { multiplier, readFeatures }, signal);
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
  const fitEach: FitEach = async function* (splits) {
    for (const { excluded, tasks } of splits) yield await fitter.fit(excluded, tasks);
  };
  if (job.job === "permute") return permute(fitEach, job);
  const splits = await scoreSplits(fitEach, job);
  const wanted = chooseKept(job, splits);
  const fits = wanted.length > 0 ? await fitChosen(multiplier, fitter, job, wanted, signal) : [];
  return {
    constantFeatures: fitter.constantFeatures,
    splits,
    kept: wanted.map((own, i) => ({ wanted: own, fit: fits[i]! })),
  };
}

/** The mean of tokens is one state; other poolings look at every token in every step of a fit. */
const isTokenwise = (job: ProbeJob): job is PooledJob =>
  job.source.kind === "spans" && job.pooling !== null && job.pooling.method !== "mean";

type PooledJob = ProbeJob & { readonly source: SpanSource; readonly pooling: SpanPooling };

async function runPooledJob(
  job: PooledJob,
  { multiplier, readFeatures }: Pick<JobTools, "multiplier" | "readFeatures">,
  signal: AbortSignal | undefined,
): Promise<ScoreResult | FitResult | PermuteResult> {
  const { source, pooling, kind, classWeight } = job;
  const foldOf = job.job === "fit" ? new Uint8Array(source.ranges.length / 2) : job.foldOf;
  const fitter = await createPooledFitter(
    multiplier,
    source,
    foldOf,
    (each) => readFeatures(each, allocateNew),
    { pooling, kind, classWeight, signal },
  );
  if (job.job === "fit") return fitter.fitAll(job.tasks);
  if (job.job === "permute") return permute(fitter.fitEach, job);
  const splits = await scoreSplits(fitter.fitEach, job);
  const wanted = chooseKept(job, splits);
  const tasks = wanted.map(({ target, penalty }) => ({
    ...job.outcomes[target]!,
    C: job.penalties[penalty]!,
  }));
  const fits = tasks.length > 0 ? await fitter.fitAll(tasks) : [];
  return {
    constantFeatures: fitter.constantFeatures,
    splits,
    kept: wanted.map((own, i) => ({ wanted: own, fit: fits[i]! })),
  };
}

/** Fits on all folds except some, one split after the other. */
type FitEach = (
  splits: readonly { readonly excluded: readonly number[]; readonly tasks: readonly SplitTask[] }[],
) => AsyncIterable<HeldScores>;

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

function chooseKept({ kept, splits, penalties }: ScoreJob, found: SplitFits): WantedProbe[] {
  const foldCount = splits.filter(({ excluded }) => excluded.length === 1).length;
  const table = createScoreTable([], [{ splits: found }], splits, penalties, foldCount);
  return kept.map((target) => ({ target, penalty: chooseProbe(table, [0], target).penalty }));
}

async function scoreSplits(
  fitEach: FitEach,
  { splits, outcomes, penalties, isTried, foldOf }: ScoreJob,
): Promise<SplitFit[][][]> {
  const tried = penalties.filter((_, penalty) => isTried[penalty]);
  const tasksOf = ({ outcomes: chosen }: SweepSplit): SplitTask[] =>
    chosen.flatMap((outcome) => tried.map((C) => ({ ...outcomes[outcome]!, C })));
  const results: SplitFit[][][] = [];
  const plans = splits.map((split) => ({ excluded: split.excluded, tasks: tasksOf(split) }));
  for await (const { held, scores } of fitEach(plans)) {
    const { excluded, outcomes: chosen } = splits[results.length]!;
    let next = 0;
    const fitOf = (outcome: number, isFitted: boolean): SplitFit => {
      const own = isFitted ? scores[next++]! : null;
      const { labels } = outcomes[outcome]!;
      return {
        areas: excluded.map((fold) => foldArea(own, labels, held, foldOf, fold)),
        scores: excluded.length === 1 ? own : null,
      };
    };
    results.push(chosen.map((outcome) => penalties.map((_, penalty) => fitOf(outcome, isTried[penalty]!))));
  }
  return results;
}

async function permute(fitEach: FitEach, { folds, draws, C, foldOf }: PermuteJob): Promise<Float64Array[]> {
  const areas = draws.map(() => new Float64Array(folds.length));
  const tasks = draws.map((labels) => ({ labels, values: null, C }));
  let f = 0;
  for await (const { held, scores } of fitEach(folds.map((fold) => ({ excluded: [fold], tasks })))) {
    scores.forEach((own, draw) => {
      areas[draw]![f] = foldArea(own, draws[draw]!, held, foldOf, folds[f]!) ?? Number.NaN;
    });
    f += 1;
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
