import { readFile } from "node:fs/promises";
import type { TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { DEFAULT_RESAMPLES } from "../../evaluation/bootstrap-interval.ts";
import { HELD_OUT_SPLITS, type ProbeEval } from "../../evaluation/probe-eval.ts";
import {
  type SeedRows,
  type SeedScores,
  scoreRepetition,
  summariseSeeds,
} from "../../evaluation/summarise-seeds.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import type { SplitRatios } from "../../probes/split-questions.ts";
import { type Manifest, readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { requireInput } from "../decide-step.ts";
import { scoreAnswers } from "../probes/score-answers.ts";
import { hasOodSplit, listStudyInputs } from "../probes/score-study.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { openRepetition, type Workspace } from "../workspace.ts";
import { type BuildDatasetsOptions, buildDatasets } from "./build-datasets.ts";
import { type TrainProbesOptions, trainProbes } from "./train-probes.ts";

export interface RepeatSeedsOptions extends StepControl {
  /** Seeds of splits and fits, two or more. */
  readonly seeds: readonly number[];
  readonly resamples?: number;
  readonly signal?: AbortSignal | undefined;
}

const STEP = { step: "eval", part: "seeds" } as const;

/**
 * Repeats the splits and fits of an evaluated study with other seeds, each in a folder of its own, and writes what came of them all
 * to `seeds.json`. Answers, entropies and hidden states are the study's; its own data sets, probes and verdict stay as they are.
 * An interrupted run goes on where it stopped.
 * @throws SepError `missing-input` without an evaluation, `bad-option` for data sets that were imported, and those of the steps
 */
export async function* repeatSeeds(
  workspace: Workspace,
  { seeds, resamples = DEFAULT_RESAMPLES, force, plan, signal }: RepeatSeedsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  for (const path of [workspace.probeEval, workspace.accuracyProbe]) await requireInput(path, "eval");
  const repeated = await readRepeated(workspace);
  const withOod = await hasOodSplit(workspace);
  for (const seed of seeds) {
    signal?.throwIfAborted();
    const own = openRepetition(workspace, seed);
    const control = { force, plan, signal, splitSeed: seed };
    const sets = withOod ? (["math", "ood"] as const) : (["math"] as const);
    yield* under(seed, buildDatasets(own, { ...repeated.building, sets, ...control }));
    yield* under(seed, trainProbes(own, { ...repeated.training, ...control }));
    yield* under(seed, scoreSeed(own, seed, { force, plan }));
  }
  const definition = {
    ...STEP,
    inputs: [workspace.probeEval, ...seeds.map((seed) => openRepetition(workspace, seed).seedScores)],
    outputs: [workspace.seeds],
    settings: { seeds: [...seeds], resamples },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    yield { kind: "started", ...STEP, unit: "seed", done: 0, total: seeds.length };
    const { audit } = JSON.parse(await readFile(workspace.probeEval, "utf8")) as ProbeEval;
    const repetitions: SeedScores[] = [];
    const ood: SeedRows[] = [];
    for (const [done, seed] of seeds.entries()) {
      signal?.throwIfAborted();
      const own = openRepetition(workspace, seed);
      repetitions.push(JSON.parse(await readFile(own.seedScores, "utf8")) as SeedScores);
      const rows = withOod
        ? (await scoreAnswers(own, seed)).scored.find(({ split }) => split === "ood_test")
        : null;
      if (rows != null) ood.push(rows.scores);
      yield { kind: "advanced", ...STEP, done: done + 1, total: seeds.length, detail: `seed ${seed}` };
    }
    const summary = summariseSeeds(repetitions, {
      probe: audit.probe,
      isSplitGiven: repeated.building.splitRatios === undefined,
      ood,
      resamples,
    });
    await writeAtomic(workspace.seeds, `${stableStringify(summary as unknown as Json, 2)}\n`);
    return { counts: { seeds: seeds.length }, warnings: [] };
  });
}

async function* scoreSeed(
  workspace: Workspace,
  seed: number,
  control: StepControl,
): AsyncGenerator<StepEvent, StepResult> {
  const about = { step: "eval", part: "" } as const;
  const definition = {
    ...about,
    inputs: await listStudyInputs(workspace, await hasOodSplit(workspace)),
    outputs: [workspace.seedScores],
    settings: { seed },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, control, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    yield { kind: "started", ...about, unit: "part", done: 0, total: 1 };
    const { train, scored } = await scoreAnswers(workspace, seed);
    const validation = scored.find(({ split }) => split === "math_val")!.dataset;
    const scores: SeedScores = {
      seed,
      other_questions: new Set([...train.questionGroups, ...validation.questionGroups]).size,
      splits: Object.fromEntries(
        scored.flatMap(({ split, scores: own }) =>
          (HELD_OUT_SPLITS as readonly string[]).includes(split) ? [[split, scoreRepetition(own)]] : [],
        ),
      ),
    };
    await writeAtomic(workspace.seedScores, `${stableStringify(scores as unknown as Json, 2)}\n`);
    yield { kind: "advanced", ...about, done: 1, total: 1 };
    return { counts: {}, warnings: [] };
  });
}

/** A step's events under the seed's name. What they warn of, the study's own steps have said. */
async function* under(
  seed: number,
  step: AsyncGenerator<StepEvent, StepResult>,
): AsyncGenerator<StepEvent, void> {
  for await (const event of step)
    if (event.kind !== "warning") yield { ...event, part: `seed ${seed}` } as StepEvent;
}

/** What is repeated: the settings of the study's own data sets and probes, but for their seed. */
interface Repeated {
  readonly building: BuildDatasetsOptions;
  readonly training: TrainProbesOptions;
}

async function readRepeated(workspace: Workspace): Promise<Repeated> {
  const { settings: own } = await requireManifest(workspace.probeDataset("math_train"), "dataset");
  const { settings: fitted } = await requireManifest(workspace.accuracyProbe, "train");
  const { ratios, position, label = "final-incorrect", layer, missingPosition } = own;
  const { train, val, test } = (ratios ?? {}) as unknown as Partial<SplitRatios>;
  const { seThreshold, window, positions, classWeight, targetRisk, targetCoverage, kind, C } = fitted;
  return {
    building: {
      position: position as TracePosition,
      label: label as BuildDatasetsOptions["label"],
      layer: layer as BuildDatasetsOptions["layer"],
      missingPosition: missingPosition as BuildDatasetsOptions["missingPosition"],
      splitRatios: ratios === undefined ? undefined : [train!, val!, test!],
    },
    training: {
      seThreshold: seThreshold as TrainProbesOptions["seThreshold"],
      layer: fitted.layer as TrainProbesOptions["layer"],
      window: window as number,
      positions: positions as TrainProbesOptions["positions"],
      classWeight: classWeight as TrainProbesOptions["classWeight"],
      targetRisk: targetRisk as number,
      targetCoverage: targetCoverage as number,
      probe: kind as TrainProbesOptions["probe"],
      c: C as TrainProbesOptions["c"],
    },
  };
}

async function requireManifest(main: string, step: "dataset" | "train"): Promise<Manifest> {
  await requireInput(main, "eval");
  const manifest = await readManifest(manifestPathOf(main));
  if (manifest?.step === step) return manifest;
  throw new SepError(
    "bad-option",
    `Got --seeds, but ${main} was not made by \`sep ${step}\`, so there is no split to draw again. Omit --seeds.`,
  );
}
