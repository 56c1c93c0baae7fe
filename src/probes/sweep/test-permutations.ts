import { pMapIterable } from "p-map";
import { quantile } from "../../math/quantile.ts";
import { createRng, type Rng, shuffle } from "../../math/rng.ts";
import type { PermutationEstimate, PermutationTest } from "../probe.ts";
import type { PermuteJob, PermuteResult, ProbeEngine } from "./probe-job.ts";
import type { SweepUnit } from "./sweep-units.ts";

/** A test that can be run once the probe is chosen; how many jobs it takes is known before. */
interface PlannedTest {
  readonly jobCount: number;
  /** @returns yields once a job; null if no test was asked for */
  run(engine: ProbeEngine, unit: number, C: number): AsyncGenerator<void, PermutationEstimate | null>;
}

interface PlanPermutationsOptions extends Omit<PermuteSettings, "C"> {
  readonly permutations: number;
  /** Number of folds. */
  readonly folds: number;
  /** Into how many jobs the draws of one fold are divided, so that every thread has some. */
  readonly parts: number;
}

/** The rows whose labels are permuted. */
interface PermutedRows {
  /** [N] */
  readonly labels: Uint8Array;
  /** [N] */
  readonly questionIds: readonly string[];
  /** [N] */
  readonly foldOf: Uint8Array;
}

/** The settings that all jobs of a test share. */
type PermuteSettings = Pick<PermuteJob, "kind" | "C" | "classWeight" | "seed">;

/**
 * Plans the test of one target's probe against labels permuted by question, since rows of a question share its
 * difficulty.
 * @param candidates indices of the units that could be chosen
 */
export function planPermutations(
  units: readonly SweepUnit[],
  candidates: readonly number[],
  { labels, questionIds, foldOf }: PermutedRows,
  { permutations, folds, parts, ...settings }: PlanPermutationsOptions,
): PlannedTest {
  const permuter = createLabelPermuter(labels, questionIds);
  const { scheme, exchangeableQuestions } = permuter;
  const isPossible = permutations > 0 && exchangeableQuestions > 1;
  const everyFold = Array.from({ length: folds }, (_, fold) => fold);
  return {
    jobCount: isPossible ? folds * parts + candidates.length : 0,
    async *run(engine, unit, C) {
      if (permutations === 0) return null;
      const found = { permutations, scheme, exchangeable_questions: exchangeableQuestions };
      if (!isPossible) return { ...found, chosen: null, best_of_all: null };
      const rng = createRng("permuted-probes", settings.seed);
      const draws = [labels, ...Array.from({ length: permutations }, () => permuter.draw(rng))];
      const own = everyFold.flatMap((fold) =>
        divide(draws, parts).map((part) =>
          permuteJob(units[unit]!, foldOf, [fold], part, { ...settings, C }),
        ),
      );
      const areas: PermuteResult[] = [];
      for await (const result of pMapIterable(own, engine.permute)) {
        areas.push(result);
        yield;
      }
      const byFold = everyFold.map((fold) => areas.slice(fold * parts, (fold + 1) * parts).flat());
      const screening = screeningSettings({ ...settings, C });
      const all = candidates.map((place) => permuteJob(units[place]!, foldOf, everyFold, draws, screening));
      const screened: Float64Array[] = [];
      for await (const result of pMapIterable(all, engine.permute)) {
        screened.push(meanAreas([result]));
        yield;
      }
      return { ...found, chosen: testAreas(meanAreas(byFold)), best_of_all: testAreas(bestAreas(screened)) };
    },
  };
}

function permuteJob(
  { source, present, pooling }: SweepUnit,
  foldOf: Uint8Array,
  folds: readonly number[],
  draws: readonly Uint8Array[],
  settings: PermuteSettings,
): PermuteJob {
  const take = (values: Uint8Array): Uint8Array => Uint8Array.from(present, (row) => values[row]!);
  const own = present.length === foldOf.length ? draws : draws.map(take);
  return { job: "permute", source, pooling, foldOf: take(foldOf), folds, draws: own, ...settings };
}

/**
 * The ridge penalty that bends as a logistic one does: near even odds the log loss curves by p (1 - p) = 1/4.
 * A mean difference stays one.
 */
function screeningSettings({ kind, C, ...rest }: PermuteSettings): PermuteSettings {
  if (kind === "mean-difference" || kind === "ridge") return { kind, C, ...rest };
  return { kind: "ridge", C: C / 4, ...rest };
}

/** As equal parts as whole items allow, in order. */
function divide<T>(items: readonly T[], parts: number): T[][] {
  const size = Math.ceil(items.length / parts);
  return Array.from({ length: parts }, (_, part) => items.slice(part * size, (part + 1) * size));
}

/** [draw] mean AUROC over folds, some of them in each result; NaN where no fold has one. */
function meanAreas(results: readonly PermuteResult[]): Float64Array {
  return Float64Array.from(results[0]!, (_, draw) => {
    const areas = results.flatMap((result) => [...result[draw]!]).filter((area) => !Number.isNaN(area));
    return areas.reduce((sum, area) => sum + area, 0) / areas.length;
  });
}

/** [draw] the best of all units; NaN where none has one. */
function bestAreas(units: readonly Float64Array[]): Float64Array {
  return Float64Array.from(units[0]!, (_, draw) => {
    const known = units.map((areas) => areas[draw]!).filter((area) => !Number.isNaN(area));
    return known.length === 0 ? Number.NaN : Math.max(...known);
  });
}

/**
 * @param areas [draw] the observed first
 * @returns null if the observed one is unknown, or all others are
 */
function testAreas(areas: Float64Array): PermutationTest | null {
  const observed = areas[0]!;
  const permuted = areas.subarray(1);
  const known = permuted.filter((area) => !Number.isNaN(area));
  if (Number.isNaN(observed) || known.length === 0) return null;
  // Sums in another order may differ in the last bits and must count as equal; an unknown area counts against us.
  const atLeast = permuted.filter((area) => !(area < observed - 1e-12)).length;
  return {
    auroc: observed,
    p_value: (1 + atLeast) / (1 + permuted.length),
    null_quantiles: [quantile(known, 0.05), quantile(known, 0.5), quantile(known, 0.95)],
  };
}

/** Draws label vectors that are as likely as the given one if labels say nothing about scores. */
export interface LabelPermuter {
  /**
   * - `question-labels`: every question has one label; labels are exchanged between any two questions, each row
   *   taking its question's.
   * - `equal-blocks`: labels vary within a question; its rows' labels move as one block, in order, and only to a
   *   question with as many rows, since blocks of other sizes would not fit.
   */
  readonly scheme: PermutationEstimate["scheme"];
  /** Questions that can change places with another; below 2 nothing can be permuted. */
  readonly exchangeableQuestions: number;
  /** Questions that always keep their labels, being alone with their number of rows. */
  readonly fixedQuestions: number;
  /** @returns [n] permuted labels */
  draw(rng: Rng): Uint8Array;
}

/**
 * What is exchangeable when several rows belong to one question: the questions, not the rows. Rows of a question
 * share its difficulty, so permuting single rows would pretend to far more independent evidence than there is.
 * Scores stay where they are; labels move by question. Under the null hypothesis that a question's labels are
 * independent of its scores, questions are exchangeable given their number of rows. Questions of a unique size keep
 * their labels, which can only make the test more careful. Where each question has a single label, the
 * label does not depend on the number of rows, and all questions are exchanged.
 * @param labels      [n]
 * @param questionIds [n]
 */
export function createLabelPermuter(
  labels: ArrayLike<number>,
  questionIds: readonly string[],
): LabelPermuter {
  const blocks = new Map<string, number[]>();
  questionIds.forEach((question, row) => {
    const rows = blocks.get(question);
    if (rows === undefined) blocks.set(question, [row]);
    else rows.push(row);
  });
  const questions = [...blocks.values()];
  const constant = questions.every((rows) => rows.every((row) => labels[row] === labels[rows[0]!]));
  const strata = constant ? [questions] : groupBySize(questions);
  const exchangeable = strata.filter((stratum) => stratum.length > 1);
  const count = exchangeable.reduce((sum, stratum) => sum + stratum.length, 0);
  return {
    scheme: constant ? "question-labels" : "equal-blocks",
    exchangeableQuestions: count,
    fixedQuestions: questions.length - count,
    draw(rng) {
      const drawn = Uint8Array.from(labels);
      for (const stratum of exchangeable) {
        const donors = shuffle(stratum, rng);
        stratum.forEach((rows, place) => {
          const donor = donors[place]!;
          rows.forEach((row, i) => {
            drawn[row] = labels[donor[constant ? 0 : i]!]!;
          });
        });
      }
      return drawn;
    },
  };
}

function groupBySize(questions: readonly number[][]): number[][][] {
  const strata = new Map<number, number[][]>();
  for (const rows of questions) strata.set(rows.length, [...(strata.get(rows.length) ?? []), rows]);
  return [...strata.values()];
}
