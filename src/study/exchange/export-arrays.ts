import type { TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import type { NpyArray } from "../../formats/npy.ts";
import { asRow, countField, orNull, stringField } from "../../formats/row-fields.ts";
import { selectRows } from "../../probes/assemble-dataset.ts";
import { type ProbeDataset, toDatasetArrays } from "../../probes/probe-dataset.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import { type ArrayFormat, writeArrays } from "../../store/array-file.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { requireCurrent } from "../chain.ts";
import { requireInput } from "../decide-step.ts";
import { readProbeDataset } from "../probe-files.ts";
import { hasOodSplit } from "../probes/score-study.ts";
import {
  type DataSetName,
  PROBE_SPLITS,
  type ProbeSplit,
  SPLIT_SOURCES,
  type Workspace,
} from "../workspace.ts";

/** Which states. */
interface StatesChoice {
  readonly position?: TracePosition | undefined;
  /** The last traced one if left out. */
  readonly layer?: number | undefined;
}

/** What was written. */
interface ExportedArrays {
  readonly path: string;
  readonly rows: number;
  readonly position: TracePosition;
  readonly layer: number;
  /** Rows of the data set that have no token at the position, and were left out. */
  readonly leftOut: number;
}

/** `run_ids` of a position that all samples of a question share. */
const EVERY_RUN = -1;

/**
 * Writes the hidden states of one position and layer with the names that Python pipelines use: `question_ids`,
 * `run_ids` (-1 for `before-generation`, which all samples share) and `hidden_states` [n, D].
 * @throws SepError `missing-input`, `bad-option` for what was not traced, `bad-artifact`
 */
export async function exportStates(
  workspace: Workspace,
  set: DataSetName,
  path: string,
  { format, ...choice }: StatesChoice & { readonly format: ArrayFormat },
): Promise<ExportedArrays> {
  await requireInput(workspace.hiddenStates(set), "export states");
  await requireCurrent([workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)], "export states");
  const hidden = await openHiddenStates(workspace.hiddenStates(set));
  const { position, layer } = resolvePlace(hidden, choice);
  const { rows } = await readJsonl(workspace.hiddenStatesIndex(set), { parse: parseIndexLine });
  const own = rows.filter((row) => row.position === position).sort((a, b) => a.row - b.row);
  const X = await hidden.read(
    position,
    layer,
    own.map(({ row }) => row),
  );
  await writeArrays(
    path,
    {
      hidden_states: { dtype: "f4", shape: [own.length, hidden.width], data: X },
      run_ids: {
        dtype: "i4",
        shape: [own.length],
        data: Int32Array.from(own, ({ run_id }) => run_id ?? EVERY_RUN),
      },
      question_ids: { dtype: "U", shape: [own.length], data: own.map(({ question_id }) => question_id) },
      ...describe(hidden, position, layer),
    },
    format,
  );
  return { path, rows: own.length, position, layer, leftOut: 0 };
}

/**
 * Writes each existing probe data set, with the states of a position and layer of choice.
 * @param pathOf where a data set goes
 * @throws SepError `missing-input` if there is none, `bad-option`, `bad-artifact`
 */
export async function exportDatasets(
  workspace: Workspace,
  pathOf: (split: ProbeSplit) => string,
  { format, ...choice }: StatesChoice & { readonly format: ArrayFormat },
): Promise<readonly ExportedArrays[]> {
  await requireInput(workspace.probeDataset("math_train"), "export datasets");
  await requireCurrent(
    [
      ...PROBE_SPLITS.map((split) => workspace.probeDataset(split)),
      ...SPLIT_SOURCES.map((set) => workspace.hiddenStates(set)),
    ],
    "export datasets",
  );
  const written: ExportedArrays[] = [];
  for (const split of PROBE_SPLITS) {
    if (split === "ood_test" && !(await hasOodSplit(workspace))) continue;
    const dataset = await readProbeDataset(workspace.probeDataset(split));
    const hidden = await openHiddenStates(workspace.hiddenStates(split === "ood_test" ? "ood" : "math"));
    const { position, layer } = resolvePlace(hidden, {
      position: choice.position ?? dataset.position,
      layer: choice.layer ?? dataset.layer,
    });
    const chosen = await atPlace(dataset, hidden, position, layer);
    const arrays = { ...toDatasetArrays(chosen), ...describe(hidden, position, layer) };
    await writeArrays(pathOf(split), arrays, format);
    const rows = chosen.questionIds.length;
    written.push({ path: pathOf(split), rows, position, layer, leftOut: dataset.questionIds.length - rows });
  }
  return written;
}

/** The data set with the states of another place. */
async function atPlace(
  dataset: ProbeDataset,
  hidden: HiddenStates,
  position: TracePosition,
  layer: number,
): Promise<ProbeDataset> {
  const states = dataset.stateRows[position];
  if (states === undefined)
    throw new SepError(
      "bad-option",
      `The data set has no rows for the ${position} token. Make it again with \`sep dataset\`.`,
    );
  const there = [...states.keys()].filter((row) => (states[row] as number) >= 0);
  const X = await hidden.read(
    position,
    layer,
    there.map((row) => states[row] as number),
  );
  return { ...selectRows(dataset, there), X, position, layer };
}

/** @throws SepError `bad-option` for what was not traced */
function resolvePlace(
  hidden: HiddenStates,
  {
    position = hidden.positions.includes("think-end") ? "think-end" : hidden.positions[0],
    layer = hidden.layers.at(-1),
  }: StatesChoice,
): { readonly position: TracePosition; readonly layer: number } {
  if (
    position !== undefined &&
    layer !== undefined &&
    hidden.positions.includes(position) &&
    hidden.layers.includes(layer)
  )
    return { position, layer };
  throw new SepError(
    "bad-option",
    `Layer ${layer} at ${position} was not traced; there are layers ${hidden.layers.join(", ")} at ${hidden.positions.join(", ")}.`,
  );
}

/** What a reader must know of the numbers. */
function describe(
  { metadata }: HiddenStates,
  position: TracePosition,
  layer: number,
): Record<string, NpyArray> {
  return {
    position: { dtype: "U", shape: [1], data: [position] },
    layer: { dtype: "i4", shape: [1], data: Int32Array.of(layer) },
    source: { dtype: "U", shape: [1], data: [JSON.stringify(metadata)] },
  };
}

function parseIndexLine(value: unknown): {
  readonly position: string;
  readonly row: number;
  readonly question_id: string;
  readonly run_id: number | null;
} {
  const row = asRow(value);
  return {
    position: stringField(row, "position"),
    row: countField(row, "row"),
    question_id: stringField(row, "question_id"),
    run_id: orNull(row, "run_id", countField),
  };
}
