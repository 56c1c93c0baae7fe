import type { FeatureSource, Features } from "../../states/feature-source.ts";
import type { FinalFit } from "../fit-final.ts";
import { type ClassWeight, rowCosts } from "../fit-logistic.ts";
import { type HeldScores, pickRows, type SplitTask } from "../fit-split.ts";
import type { SpanPooling } from "../pooling.ts";
import type { ProbeKind } from "../probe-weights.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { Scaler } from "../scaler.ts";
import { fitPooled, type PooledFit, type PooledTask } from "./fit-pooled.ts";
import { openSpanTokens, type SpanSource } from "./token-blocks.ts";

/** Penalties tried for probes that pool tokens where none is given: each pass over the tokens takes longer than over rows. */
export const POOLED_PENALTIES: readonly number[] = [1e-4, 1e-3, 1e-2, 1e-1];

export interface PooledFitterOptions {
  readonly pooling: SpanPooling;
  /** `logistic` or `ridge`. */
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  readonly signal?: AbortSignal | undefined;
}

/** A split with the probes to fit on it. */
interface PooledSplit {
  readonly excluded: readonly number[];
  readonly tasks: readonly SplitTask[];
}

/** Fits probes that read all tokens of spans. */
export interface PooledFitter {
  readonly constantFeatures: number;
  /** @returns one per split, in order */
  fitEach(splits: readonly PooledSplit[]): AsyncIterable<HeldScores>;
  /** Fits on all spans. */
  fitAll(tasks: readonly SplitTask[]): Promise<FinalFit[]>;
}

/** Probes that are fitted side by side: a product has up to twice as many columns. */
const TASKS_AT_ONCE = 48;
/** Of fits that only compare layers, penalties and poolings, and of those that are kept. */
const SWEEP = { tolerance: 1e-2, maxEvaluations: 40 } as const;
const FINAL = { tolerance: 1e-4, maxEvaluations: 500 } as const;

/** @param foldOf [N] */
export async function createPooledFitter(
  multiplier: MatrixMultiplier,
  source: SpanSource,
  foldOf: ArrayLike<number>,
  readFeatures: (source: FeatureSource) => Promise<Features>,
  { pooling, kind, classWeight, signal }: PooledFitterOptions,
): Promise<PooledFitter> {
  const tokens = await openSpanTokens(source, foldOf, readFeatures);
  const loss = kind === "ridge" ? "squared" : "logistic";
  const rowsOf = (test: (fold: number) => boolean): Int32Array =>
    Int32Array.from(
      Array.from({ length: foldOf.length }, (_, row) => row).filter((row) => test(foldOf[row]!)),
    );
  /** @returns null where the rows that are fitted on have one class */
  const plan = (task: SplitTask, excluded: readonly number[], scaler: Scaler): PooledTask | null => {
    const trained = rowsOf((fold) => !excluded.includes(fold));
    const own = pickRows(task, trained).labels;
    if (!own.includes(0) || !own.includes(1)) return null;
    const costs = new Float64Array(foldOf.length);
    rowCosts(own, task.C, classWeight).forEach((cost, i) => {
      costs[trained[i]!] = cost;
    });
    return { scaler, costs, outcomes: loss === "squared" ? (task.values ?? task.labels) : task.labels };
  };
  const fitTasks = (
    tasks: readonly PooledTask[],
    limits: typeof SWEEP | typeof FINAL,
  ): Promise<PooledFit[]> => fitPooled(multiplier, tokens, pooling, tasks, { loss, signal, ...limits });
  return {
    constantFeatures: tokens.scaler.constantFeatures,
    async *fitEach(splits) {
      const planned = splits.map(({ excluded, tasks }) => {
        const scaler = tokens.scalerWithout(excluded);
        return tasks.map((task) => plan(task, excluded, scaler));
      });
      const scores = fitInTurn(
        planned.flat().filter((task) => task !== null),
        (tasks) => fitTasks(tasks, SWEEP),
      );
      for (const [split, { excluded }] of splits.entries()) {
        // fold by fold, ascending in each
        const held = Int32Array.from(
          [...excluded].sort((a, b) => a - b).flatMap((fold) => [...rowsOf((own) => own === fold)]),
        );
        const own: (Float64Array | null)[] = [];
        for (const task of planned[split]!) {
          const all = task === null ? null : (await scores.next()).value;
          own.push(all === null ? null : Float64Array.from(held, (row) => (all as Float64Array)[row]!));
        }
        yield { held, scores: own };
      }
    },
    async fitAll(tasks) {
      const planned = tasks.map((task) => plan(task, [], tokens.scaler)!);
      return (await fitTasks(planned, FINAL)).map((each) => describeFinal(each, tokens.scaler));
    },
  };
}

/** @returns the scores of each task's fit, in order; as many are fitted at once as is worth it */
async function* fitInTurn(
  tasks: readonly PooledTask[],
  fitTasks: (tasks: readonly PooledTask[]) => Promise<PooledFit[]>,
): AsyncGenerator<Float64Array, void> {
  for (let begin = 0; begin < tasks.length; begin += TASKS_AT_ONCE)
    for (const { scores } of await fitTasks(tasks.slice(begin, begin + TASKS_AT_ONCE))) yield scores;
}

function describeFinal(
  { coefficients, query, intercept, minimum }: PooledFit,
  { mean, scale, constantFeatures }: Scaler,
): FinalFit {
  return {
    weights: {
      mean: Float32Array.from(mean),
      scale: Float32Array.from(scale),
      coefficients: Float32Array.from(coefficients),
      intercept,
      hidden: null,
      ...(query === null ? {} : { query: Float32Array.from(query) }),
    },
    constantFeatures,
    relativeError: null,
    converged: minimum.converged,
    optimisation: {
      method: "l-bfgs",
      evaluations: minimum.evaluations,
      relative_gradient: minimum.relativeGradient,
    },
  };
}
