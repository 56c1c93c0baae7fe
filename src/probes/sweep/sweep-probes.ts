import { pMapIterable } from "p-map";
import { SepError } from "../../errors.ts";
import type { HiddenStates } from "../../states/hidden-states.ts";
import type { ClassWeight } from "../fit-logistic.ts";
import { POOLED_PENALTIES } from "../pooled/pooled-fitter.ts";
import { nameReading } from "../pooling.ts";
import type { LayerScore, PermutationEstimate } from "../probe.ts";
import { PENALTY_GRIDS, type ProbeKind } from "../probe-weights.ts";
import type { SeThreshold } from "../se-threshold.ts";
import { type FoldAssignment, groupedStratifiedFolds, hasBothClasses } from "../split-questions.ts";
import { describeKept, type FittedProbe, fitKept, type OnUnit } from "./keep-probe.ts";
import { makeOutcome, type OutcomePlan, type ProbeTargetSpec, planOutcomes } from "./outcomes.ts";
import type { ProbeEngine, ScoreJob, ScoreResult, WantedProbe } from "./probe-job.ts";
import {
  chooseProbe,
  createScoreTable,
  estimateNested,
  type NestedEstimate,
  type ProbeChoice,
  planSplits,
  scoreLayer,
} from "./score-table.ts";
import { listSweepUnits, type ProbeFeatures, type SweepUnit } from "./sweep-units.ts";
import { planPermutations } from "./test-permutations.ts";

export interface FitProbesOptions {
  /** What the probes are. */
  readonly probe?: ProbeKind;
  /** Penalties to choose from by cross-validation, or the one to use; "cv" tries a grid that suits the kind. */
  readonly c?: "cv" | number | readonly number[];
  /** How many consecutive layers a probe reads, concatenated. */
  readonly window?: number;
  /**
   * Where probes are kept: "best" is chosen by cross-validation, of the positions that all rows have. All positions
   * are scored regardless.
   */
  readonly position?: string;
  /** Whether a probe may also be kept that reads one token, where the features have spans to pool. */
  readonly pooledOnly?: boolean;
  /** The same for the layer, the first one of a window. */
  readonly layer?: number | "best";
  readonly classWeight?: ClassWeight;
  /** How many folds, or which; by question, with about the same share of every combination of labels. */
  readonly folds?: number | FoldAssignment;
  /** [N] questions that folds and permutations keep together, such as duplicates; each question by itself if left out. */
  readonly groups?: readonly string[] | undefined;
  /** Whether to evaluate the whole procedure, including its choice of layer, position, penalty and threshold. */
  readonly nested?: boolean;
  /** Label permutations, each refitted, that test the kept probes; 0 for no test. */
  readonly permutations?: number;
  /** Which probes are fitted on all rows: each target's best, or one at every position and layer as well. */
  readonly keep?: "best" | "every";
  readonly seed?: number;
  /** Threads; by default as many as CPU cores and memory allow. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a sweep needs of where it runs. */
export interface SweepPlatform {
  /** @throws SepError `missing-input`, `bad-artifact` */
  openStates(path: string): Promise<Pick<HiddenStates, "positions" | "layers" | "width">>;
  /**
   * Opens what runs the sweep's jobs; it is disposed of at the end, which abandons running jobs.
   * @param fits splits of each unit
   */
  openEngine(
    units: readonly SweepUnit[],
    fits: number,
    options: Pick<FitProbesOptions, "workers" | "signal">,
  ): Promise<ProbeEngine>;
}

/** What happens during a fit; `done` counts up to `total`. */
export type FitProbesEvent = { readonly done: number; readonly total: number } & (
  | { readonly kind: "started" }
  | { readonly kind: "scored"; readonly score: LayerScore<string> }
  | { readonly kind: "fitted"; readonly target: string; readonly probe: FittedProbe }
  | { readonly kind: "permuted"; readonly target: string }
);

export interface FittedProbes {
  readonly folds: FoldAssignment;
  /** One per position and layer, in order. */
  readonly layerScores: readonly LayerScore<string>[];
  readonly targets: Readonly<Record<string, FittedTarget>>;
}

/** What was fitted to one target. */
export interface FittedTarget {
  /** [N] */
  readonly labels: Uint8Array;
  /** What turned values into labels; null for a target that has labels. */
  readonly threshold: SeThreshold | null;
  /** null if the labels are all the same. */
  readonly best: FittedProbe | null;
  /** With `keep: "every"`, one at each position and layer, in the order of the layer scores; else empty. */
  readonly everywhere: readonly FittedProbe[];
  /** null if not requested, or the labels are all the same. */
  readonly nested: NestedEstimate | null;
  readonly permutation: PermutationEstimate | null;
}

const DEFAULT_FOLDS = 5;

/**
 * Fits probes of every target at every position and layer, scores them by cross-validation over questions, and keeps
 * the best. Features are standardised inside each fold.
 * @param targets     by name
 * @param questionIds [N] the question of each row
 * @returns yields one event per sweep unit, per fitted probe and per finished part of a test
 * @throws SepError `bad-option`, `too-few-questions`, `bad-artifact`; the signal's reason when it is aborted
 */
export async function* sweepProbes(
  features: ProbeFeatures,
  targets: Readonly<Record<string, ProbeTargetSpec>>,
  questionIds: readonly string[],
  platform: SweepPlatform,
  options: FitProbesOptions = {},
): AsyncGenerator<FitProbesEvent, FittedProbes> {
  const {
    probe: kind = "logistic",
    classWeight = "none",
    seed = 42,
    nested = false,
    keep = "best",
  } = options;
  const { signal, permutations = 0, groups = questionIds } = options;
  const settings = { kind, classWeight, seed };
  const names = Object.keys(targets);
  const specs = Object.values(targets);
  const base = specs.map((spec, target) => makeOutcome(names[target]!, spec, questionIds, () => true));
  const folds = assignFolds(groups, base, options.folds ?? DEFAULT_FOLDS, seed);
  const foldOf = Uint8Array.from(folds.foldOf);
  const plan = nested
    ? planOutcomes(targets, base, questionIds, { foldOf, foldCount: folds.foldCount })
    : { outcomes: base, without: [] };
  const units = await listSweepUnits(features, questionIds.length, options.window ?? 1, platform.openStates);
  requirePoolable(units, kind);
  const candidates = findCandidates(units, options);
  const penalties = listPenalties(kind, options.c ?? "cv");
  const splits = planSplits(specs.length, plan, folds.foldCount, nested);
  const learnable = [...base.keys()].filter((target) => hasBothClasses(base[target]!.labels));

  const engine = await platform.openEngine(units, splits.length, { workers: options.workers, signal });
  await using _engine = engine;
  const tests = learnable.map((target) =>
    planPermutations(
      units,
      candidates,
      { labels: base[target]!.labels, questionIds: groups, foldOf },
      {
        permutations,
        folds: folds.foldCount,
        parts: Math.ceil(engine.concurrency / folds.foldCount),
        ...settings,
      },
    ),
  );
  const fitCount = learnable.length * (keep === "every" ? units.length : 1);
  const total = units.length + fitCount + tests.reduce((sum, test) => sum + test.jobCount, 0);
  let done = 0;
  yield { kind: "started", done, total };

  const results: ScoreResult[] = [];
  const layerScores: LayerScore<string>[] = [];
  const table = createScoreTable(units, results, splits, penalties, folds.foldCount);
  const kept = keep === "every" ? learnable : [];
  const isGrid = (options.c ?? "cv") === "cv";
  const jobs = units.map((unit) =>
    scoreJob(unit, foldOf, plan, {
      penalties,
      isTried: penalties.map((C) => !isGrid || !isTokenwise(unit) || POOLED_PENALTIES.includes(C)),
      splits,
      kept,
      ...settings,
    }),
  );
  for await (const result of pMapIterable(jobs, engine.score)) {
    const unit = results.push(result) - 1;
    const score = scoreLayer(table, unit, result.constantFeatures, names);
    layerScores.push(score);
    yield { kind: "scored", done: ++done, total, score };
  }

  const choices = new Map(learnable.map((target) => [target, chooseProbe(table, candidates, target)]));
  const everywhere = new Map<number, FittedProbe[]>(learnable.map((target) => [target, []]));
  const best = new Map<number, FittedProbe>();
  const fits =
    keep === "every"
      ? results.map((result, unit) => ({ unit, probes: result.kept }))
      : fitKept(table, groupByUnit(choices), base, settings, engine.fit);
  for await (const { unit, probes } of fits) {
    for (const probe of probes) {
      const { target } = probe.wanted;
      const own = describeKept(table, unit, probe, { labels: base[target]!.labels, foldOf, kind });
      everywhere.get(target)!.push(own);
      const choice = choices.get(target)!;
      if (choice.unit === unit) best.set(target, choice.isKnown ? own : warnOfChoice(names[target]!, own));
      yield { kind: "fitted", done: ++done, total, target: names[target]!, probe: own };
    }
  }

  const fitted: [string, FittedTarget][] = [];
  for (const [target, name] of names.entries()) {
    const { labels, threshold } = base[target]!;
    const choice = choices.get(target);
    if (choice === undefined) {
      fitted.push([name, { labels, threshold, best: null, everywhere: [], nested: null, permutation: null }]);
      continue;
    }
    const running = tests[learnable.indexOf(target)]!.run(engine, choice.unit, penalties[choice.penalty]!);
    let step = await running.next();
    for (; !step.done; step = await running.next()) {
      yield { kind: "permuted", done: ++done, total, target: name };
    }
    fitted.push([
      name,
      {
        labels,
        threshold,
        best: best.get(target)!,
        everywhere: keep === "every" ? everywhere.get(target)! : [],
        nested: nested ? estimateNested(table, plan, target, candidates, foldOf) : null,
        permutation: step.value,
      },
    ]);
  }
  return { folds, layerScores, targets: Object.fromEntries(fitted) };
}

/** The probes to fit on all rows, by unit, so that those of one unit share reading it and its products. */
function groupByUnit(choices: ReadonlyMap<number, ProbeChoice>): OnUnit<WantedProbe>[] {
  const units = [...new Set([...choices.values()].map(({ unit }) => unit))].sort((a, b) => a - b);
  return units.map((unit) => ({
    unit,
    probes: [...choices].flatMap(([target, choice]) =>
      choice.unit === unit ? [{ target, penalty: choice.penalty }] : [],
    ),
  }));
}

/** One assignment serves all targets, so it is stratified on all labels at once. */
function assignFolds(
  groups: readonly string[],
  outcomes: readonly { readonly labels: Uint8Array }[],
  wanted: number | FoldAssignment,
  seed: number,
): FoldAssignment {
  if (typeof wanted !== "number") {
    if (wanted.foldOf.length === groups.length) return wanted;
    throw new SepError(
      "bad-option",
      `The folds are of ${wanted.foldOf.length} rows, there are ${groups.length}; give one per row.`,
    );
  }
  const joint = groups.map((_, row) =>
    outcomes.reduce((sum, { labels }, target) => sum + (labels[row]! << target), 0),
  );
  const foldCount = Math.min(wanted, new Set(groups).size);
  return { foldOf: groupedStratifiedFolds(groups, joint, foldCount, seed), foldCount };
}

/** A pooling that looks at every token in every step of a fit. */
const isTokenwise = ({ pooling }: SweepUnit): boolean => pooling !== null && pooling.method !== "mean";

/** @throws SepError `bad-option` */
function requirePoolable(units: readonly SweepUnit[], kind: ProbeKind): void {
  const pooled = units.find(isTokenwise);
  if (pooled === undefined || kind === "logistic" || kind === "ridge") return;
  throw new SepError(
    "bad-option",
    `Got probes of kind ${kind} with ${pooled.pooling!.method} pooling, which is fitted for logistic and ridge. Pool by the mean, or use one of these kinds.`,
  );
}

/**
 * Indices of the units that a probe may be kept at. If the position or the pooling is to be chosen, only those that most rows
 * have: a place that some rows lack is scored on different rows, and would leave those without a score.
 */
function findCandidates(
  units: readonly SweepUnit[],
  { position = "best", layer = "best", pooledOnly = false }: FitProbesOptions,
): readonly number[] {
  const allowed = [...units.keys()].filter((place) => {
    const unit = units[place]!;
    const isPlaced =
      unit.pooling !== null || (!pooledOnly && (position === "best" || unit.position === position));
    return isPlaced && (layer === "best" || unit.layer === layer);
  });
  const most = Math.max(...allowed.map((place) => units[place]!.present.length));
  const found = allowed.filter((place) => units[place]!.present.length === most);
  if (found.length > 0) return found;
  const positions = [...new Set(units.map(({ position: own, pooling }) => nameReading(own, pooling)))];
  const layers = [...new Set(units.map((unit) => unit.layer))];
  throw new SepError(
    "bad-option",
    `No probe can read layer ${layer} at position ${position}; there are layers ${layers.join(", ")} at ${positions.join(", ")}.`,
  );
}

function listPenalties(kind: ProbeKind, C: "cv" | number | readonly number[]): readonly number[] {
  if (kind === "mean-difference" || C === "cv") return PENALTY_GRIDS[kind];
  const penalties = (typeof C === "number" ? [C] : [...C]).sort((a, b) => a - b);
  if (penalties.length > 0 && penalties.every((penalty) => penalty > 0 && Number.isFinite(penalty)))
    return penalties;
  throw new SepError("bad-option", `C is ${penalties.join(", ") || "empty"}; it must be positive numbers.`);
}

function warnOfChoice(target: string, probe: FittedProbe): FittedProbe {
  const warning = {
    code: "no-layer-score",
    message: `The ${target} probe's layers could not be compared (no fold has both classes); layer ${probe.layer} was taken. Add questions.`,
  };
  return { ...probe, warnings: [warning, ...probe.warnings] };
}

function scoreJob(
  { source, present, pooling }: SweepUnit,
  foldOf: Uint8Array,
  { outcomes }: OutcomePlan,
  settings: Omit<ScoreJob, "job" | "source" | "pooling" | "foldOf" | "outcomes">,
): ScoreJob {
  return {
    job: "score",
    source,
    pooling,
    foldOf: Uint8Array.from(present, (row) => foldOf[row]!),
    outcomes: outcomes.map(({ labels, values }) => ({
      labels: Uint8Array.from(present, (row) => labels[row]!),
      values: values === null ? null : Float64Array.from(present, (row) => values[row]!),
    })),
    ...settings,
  };
}
