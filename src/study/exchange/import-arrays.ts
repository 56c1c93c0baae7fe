import { basename, resolve } from "node:path";
import type { TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { runKey } from "../../samples/samples.ts";
import type { NormState } from "../../states/state-backend.ts";
import { writeStateIndex } from "../../states/state-index.ts";
import { writeHiddenStates } from "../../states/write-hidden-states.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { writeProbeDataset } from "../probe-files.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import {
  type DataSetName,
  PROBE_SPLITS,
  type ProbeSplit,
  SPLIT_SOURCES,
  type Workspace,
} from "../workspace.ts";
import { type ForeignDataset, type ForeignStates, readForeignArrays } from "./foreign-arrays.ts";

export interface ImportArraysOptions {
  /** The layer that the states are of: the number of the model's blocks for the last one. The files do not say it. */
  readonly layer: number;
  /** Where they were read. */
  readonly position?: TracePosition;
  /** The last entry of Python's `hidden_states` is after the final norm. */
  readonly normState?: NormState;
  /** What the model is called; for the record. */
  readonly model?: string | undefined;
  readonly force?: boolean;
}

const STEP = { step: "import", part: "" } as const;

/**
 * Takes hidden states and probe data sets of a Python pipeline into a study, so that the steps from `train` on (or, of
 * hidden states alone, from `dataset` on) run on them.
 * @param files NPZ files, called as the pipeline calls them: `math_train.npz`, `ood_test.npz`, … and
 *   `math_hidden_states.npz`, `ood_…`
 * @throws SepError `bad-option` for other names, or files that do not make a study; `bad-artifact`; those of `runStep`
 */
export async function* importArrays(
  workspace: Workspace,
  files: readonly string[],
  { layer, position = "think-end", normState = "final-norm", model, force = false }: ImportArraysOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const plan = planImport(files);
  const sets = SPLIT_SOURCES.filter(
    (set) => plan.states.has(set) || splitsOf(set).some((split) => plan.datasets.has(split)),
  );
  const definition = {
    ...STEP,
    inputs: files.map((file) => resolve(file)),
    outputs: [
      ...sets.flatMap((set) => [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)]),
      ...[...plan.datasets.keys()].map((split) => workspace.probeDataset(split)),
    ],
    settings: { layer, position, norm_state: normState, model: model ?? null },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    yield { kind: "started", ...STEP, unit: "file", done: 0, total: files.length };
    const counts: Record<string, number> = {};
    const warnings: ManifestWarning[] = [];
    let done = 0;
    for (const set of sets) {
      const datasets = await readDatasets(splitsOf(set), plan.datasets);
      const states = await readStates(plan.states.get(set), datasets);
      await writeStates(workspace, set, states, { layer, position, normState, model });
      counts[`${set}_state_rows`] = states.questionIds.length;
      const rowOf = indexRows(states);
      for (const [split, dataset] of datasets) {
        const rows = findRows(split, dataset, states, rowOf);
        await writeProbeDataset(workspace.probeDataset(split), {
          ...dataset,
          position,
          layer,
          label: "final-incorrect",
          stateRows: { [position]: rows },
        });
        counts[`${split}_rows`] = rows.length;
        counts[`${split}_questions`] = new Set(dataset.questionIds).size;
        done += 1;
        yield { kind: "advanced", ...STEP, done, total: files.length, detail: split };
      }
      if (plan.states.has(set)) done += 1;
      warnings.push(...warnOfShared(datasets), ...warnOfLikelihood(set, datasets));
    }
    for (const warning of warnings) yield { kind: "warning", ...STEP, warning };
    return { counts, warnings };
  });
}

interface ImportPlan {
  readonly datasets: ReadonlyMap<ProbeSplit, string>;
  readonly states: ReadonlyMap<DataSetName, string>;
}

const splitsOf = (set: DataSetName): readonly ProbeSplit[] =>
  PROBE_SPLITS.filter((split) => split.startsWith(set));

/** By their names, since nothing in the files says which part of a study they are. */
function planImport(files: readonly string[]): ImportPlan {
  const datasets = new Map<ProbeSplit, string>();
  const states = new Map<DataSetName, string>();
  for (const file of files) {
    const name = basename(file).replace(/\.npz$/i, "");
    const split = PROBE_SPLITS.find((each) => each === name);
    const set = SPLIT_SOURCES.find((each) => name === `${each}_hidden_states`);
    if (split !== undefined) datasets.set(split, file);
    else if (set !== undefined) states.set(set, file);
    else
      throw new SepError(
        "bad-option",
        `${file} does not have the name of a part of a study: ${[...PROBE_SPLITS, ...SPLIT_SOURCES.map((each) => `${each}_hidden_states`)].map((each) => `${each}.npz`).join(", ")}. Rename it to the part that it contains.`,
      );
  }
  const math = splitsOf("math").filter((split) => datasets.has(split));
  if (datasets.size > 0 && math.length < 3)
    throw new SepError(
      "bad-option",
      `Got the data sets ${[...datasets.keys()].join(", ")}, expected ${splitsOf("math").join(", ")} together: probes are trained on the first and evaluated on the others.`,
    );
  return { datasets, states };
}

async function readDatasets(
  splits: readonly ProbeSplit[],
  files: ReadonlyMap<ProbeSplit, string>,
): Promise<ReadonlyMap<ProbeSplit, ForeignDataset>> {
  const datasets = new Map<ProbeSplit, ForeignDataset>();
  for (const split of splits) {
    const file = files.get(split);
    if (file === undefined) continue;
    const arrays = await readForeignArrays(file);
    if (arrays.kind !== "dataset")
      throw new SepError(
        "bad-artifact",
        `${file} contains hidden states but has the name of a data set. Rename it.`,
      );
    datasets.set(split, arrays.content);
  }
  return datasets;
}

/** Of a file of their own, or those of the data sets one after the other. */
async function readStates(
  file: string | undefined,
  datasets: ReadonlyMap<ProbeSplit, ForeignDataset>,
): Promise<ForeignStates> {
  if (file !== undefined) return (await readForeignArrays(file)).content;
  const parts = [...datasets.values()];
  const width = (parts[0] as ForeignDataset).width;
  const other = parts.find((part) => part.width !== width);
  if (other !== undefined)
    throw new SepError(
      "bad-artifact",
      `The data sets have states of width ${width} and ${other.width}, expected one width. Import files from one model.`,
    );
  const X = new Float32Array(parts.reduce((sum, part) => sum + part.X.length, 0));
  let start = 0;
  for (const part of parts) {
    X.set(part.X, start);
    start += part.X.length;
  }
  return {
    questionIds: parts.flatMap(({ questionIds }) => questionIds),
    runIds: Int32Array.from(parts.flatMap(({ runIds }) => [...runIds])),
    width,
    X,
  };
}

function indexRows({ questionIds, runIds }: ForeignStates): ReadonlyMap<string, number> {
  return new Map(questionIds.map((id, row) => [runKey(id, runIds[row] as number), row]));
}

/** Where each row of a data set is among the states; the two must be the same numbers. */
function findRows(
  split: ProbeSplit,
  { questionIds, runIds, X, width }: ForeignDataset,
  states: ForeignStates,
  rowOf: ReadonlyMap<string, number>,
): Int32Array {
  return Int32Array.from(questionIds, (id, i) => {
    const row = rowOf.get(runKey(id, runIds[i] as number));
    const name = `${split}: row ${i} (question ${id}, run ${runIds[i]})`;
    if (row === undefined || width !== states.width)
      throw new SepError(
        "bad-artifact",
        `${name} has no hidden state of width ${width}. Import files from one study.`,
      );
    for (let j = 0; j < width; j++) {
      if (X[i * width + j] !== states.X[row * width + j])
        throw new SepError(
          "bad-artifact",
          `${name} differs from its hidden state at ${j}. Import files from one study.`,
        );
    }
    return row;
  });
}

async function writeStates(
  workspace: Workspace,
  set: DataSetName,
  { questionIds, runIds, width, X }: ForeignStates,
  {
    layer,
    position,
    normState,
    model,
  }: Required<Pick<ImportArraysOptions, "layer" | "position" | "normState">> & {
    readonly model: string | undefined;
  },
): Promise<void> {
  await writeHiddenStates(workspace.hiddenStates(set), {
    position,
    layer,
    width,
    states: X,
    metadata: {
      dataset: set,
      ...(model === undefined ? {} : { model }),
      backend: "imported",
      norm_state: normState,
      layers: String(layer),
      hidden_size: String(width),
    },
  });
  await writeStateIndex(
    workspace.hiddenStatesIndex(set),
    questionIds.map((question_id, row) => ({ position, row, question_id, run_id: runIds[row]! })),
  );
}

function warnOfShared(datasets: ReadonlyMap<ProbeSplit, ForeignDataset>): ManifestWarning[] {
  const splits = [...datasets].map(([split, { questionIds }]) => ({ split, ids: new Set(questionIds) }));
  return splits.flatMap(({ split, ids }, place) =>
    splits.slice(0, place).flatMap((before) => {
      const shared = [...ids].filter((id) => before.ids.has(id)).length;
      if (shared === 0) return [];
      const message = `${before.split} and ${split} share ${shared} questions: answers to the same question resemble each other, so measures on ${split} are too optimistic.`;
      return [{ code: "shared-questions", message }];
    }),
  );
}

function warnOfLikelihood(
  set: DataSetName,
  datasets: ReadonlyMap<ProbeSplit, ForeignDataset>,
): ManifestWarning[] {
  const some = [...datasets.values()];
  if (
    some.length === 0 ||
    some.some(({ semanticEntropy }) => semanticEntropy.some((each) => !Number.isNaN(each)))
  )
    return [];
  const message = `${set}: the files' semantic_entropy counts samples, which is called discrete_semantic_entropy here; measures of the likelihood-weighted entropy are null.`;
  return [{ code: "no-likelihood", message }];
}
