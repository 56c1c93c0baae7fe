import type { TokenSpan, TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import type { RunRecord } from "../samples/run-record.ts";
import type { HiddenStates } from "../states/hidden-states.ts";
import type { StateRowIndex } from "../states/state-index.ts";
import type { ProbeDataset } from "./probe-dataset.ts";
import { labelRow, type MeasuredUnits, type RowLabel, type Unlabelled } from "./unit-labels.ts";

/** The entropies of one question, nats. */
export interface QuestionEntropies {
  /** null where log-probabilities are missing. */
  readonly semantic: number | null;
  readonly discrete: number;
}

/** The rows that can be used, and how many could not. */
interface UsableRuns {
  readonly runs: readonly RunRecord[];
  /** Samples without a token at the position: truncated or missing reasoning, mostly. */
  readonly withoutPosition: number;
  /** Of those, the ones whose reasoning was cut off by the token limit. */
  readonly truncated: number;
  /** Samples whose question has no semantic entropy, having fewer than two samples. */
  readonly withoutEntropy: number;
}

/**
 * Keeps the samples that have a hidden state at the position and a semantic entropy.
 * @param entropies by question id; null if none were computed, which drops nothing
 */
export function selectUsableRuns(
  runs: readonly RunRecord[],
  index: StateRowIndex,
  entropies: ReadonlyMap<string, QuestionEntropies> | null,
  position: TracePosition,
): UsableRuns {
  const isPlaced = (run: RunRecord): boolean =>
    index.unitsOf(position, run.question_id, run.run_id).length > 0;
  const placed = runs.filter(isPlaced);
  const lost = runs.filter((run) => !isPlaced(run));
  const usable = placed.filter((run) => entropies === null || entropies.has(run.question_id));
  return {
    runs: usable,
    withoutPosition: lost.length,
    truncated: lost.filter((run) => run.think_status === "truncated").length,
    withoutEntropy: placed.length - usable.length,
  };
}

/**
 * Joins samples, entropies and hidden states to one split.
 * @param runs      usable samples of the split's questions; each has a row per token that it has at the position, unless
 *   that one has no label
 * @param entropies by question id; null leaves them NaN
 */
export async function assembleDataset(
  runs: readonly RunRecord[],
  hidden: HiddenStates,
  index: StateRowIndex,
  entropies: ReadonlyMap<string, QuestionEntropies> | null,
  {
    position,
    layer,
    label = "final-incorrect",
    measured = null,
    groupOf,
  }: {
    readonly position: TracePosition;
    readonly layer: number;
    readonly label?: RowLabel;
    /** For a label that follows from what was measured. */
    readonly measured?: MeasuredUnits | null;
    /** Of a question with duplicates, the id of the first of them. */
    readonly groupOf: ReadonlyMap<string, string>;
  },
): Promise<{ readonly dataset: ProbeDataset; readonly unlabeled: ReadonlyMap<Unlabelled, number> }> {
  const unlabeled = new Map<Unlabelled, number>();
  const rows = runs.flatMap((run) =>
    index.unitsOf(position, run.question_id, run.run_id).flatMap((unit) => {
      const given = labelRow(label, run, unit, measured);
      if (typeof given === "number") return { run, span: unit?.span ?? null, given };
      unlabeled.set(given, (unlabeled.get(given) ?? 0) + 1);
      return [];
    }),
  );
  const hasSpans = rows.some(({ span }) => span !== null);
  const rowsAt = (place: TracePosition): Int32Array =>
    Int32Array.from(rows, ({ run, span }) => index.rowOf(place, run.question_id, run.run_id, span));
  const entropyOf = (kind: keyof QuestionEntropies): Float64Array =>
    Float64Array.from(rows, ({ run }) => entropies?.get(run.question_id)?.[kind] ?? Number.NaN);
  const dataset: ProbeDataset = {
    position,
    layer,
    label,
    ...(measured === null ? {} : { labelThreshold: measured.threshold }),
    width: hidden.width,
    X: await hidden.read(position, layer, rowsAt(position)),
    correct: Uint8Array.from(rows, ({ given }) => 1 - given),
    meanThinkEntropy: Float64Array.from(rows, ({ run }) => run.mean_think_entropy ?? Number.NaN),
    semanticEntropy: entropyOf("semantic"),
    discreteSemanticEntropy: entropyOf("discrete"),
    questionIds: rows.map(({ run }) => run.question_id),
    questionGroups: rows.map(({ run }) => groupOf.get(run.question_id) ?? run.question_id),
    runIds: Int32Array.from(rows, ({ run }) => run.run_id),
    ...(hasSpans ? { spans: Int32Array.from(rows.flatMap(({ span }) => span ?? [0, 0])) } : {}),
    ...(hidden.positions.includes("every-token")
      ? { tokenRows: Int32Array.from(rows.flatMap(({ run, span }) => findTokenRows(index, run, span))) }
      : {}),
    stateRows: Object.fromEntries(hidden.positions.map((place) => [place, rowsAt(place)])),
  };
  return { dataset, unlabeled };
}

/**
 * The rows of `every-token` that hold a span's tokens, or those of the whole answer.
 * @throws SepError `bad-artifact` if they do not follow each other
 */
function findTokenRows(
  index: StateRowIndex,
  { question_id: question, run_id: run }: RunRecord,
  span: TokenSpan | null,
): readonly [start: number, end: number] {
  const tokens = index
    .unitsOf("every-token", question, run)
    .flatMap((unit) => (unit === null ? [] : [unit.span]))
    .filter(([start, end]) => span === null || (start >= span[0] && end <= span[1]));
  if (tokens.length === 0) return [0, 0];
  const [first, last] = [tokens[0]!, tokens.at(-1)!].map((own) =>
    index.rowOf("every-token", question, run, own),
  ) as [number, number];
  if (last - first === tokens.length - 1) return [first, last + 1];
  throw new SepError(
    "bad-artifact",
    `The every-token rows of answer ${run} to ${question} are ${first} to ${last}, expected ${tokens.length} that follow each other. Make them again with \`sep trace --force\`.`,
  );
}

/** Some rows of a data set, in the order given. */
export function selectRows(dataset: ProbeDataset, rows: readonly number[]): ProbeDataset {
  const { width } = dataset;
  const X = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    X.set(dataset.X.subarray(row * width, (row + 1) * width), i * width);
  });
  return {
    ...dataset,
    X,
    correct: Uint8Array.from(rows, (row) => dataset.correct[row]!),
    meanThinkEntropy: Float64Array.from(rows, (row) => dataset.meanThinkEntropy[row]!),
    semanticEntropy: Float64Array.from(rows, (row) => dataset.semanticEntropy[row]!),
    discreteSemanticEntropy: Float64Array.from(rows, (row) => dataset.discreteSemanticEntropy[row]!),
    questionIds: rows.map((row) => dataset.questionIds[row]!),
    questionGroups: rows.map((row) => dataset.questionGroups[row]!),
    runIds: Int32Array.from(rows, (row) => dataset.runIds[row]!),
    ...mapRanges(dataset, (ranges) =>
      Int32Array.from(rows.flatMap((row) => [...ranges.subarray(2 * row, 2 * row + 2)])),
    ),
    stateRows: mapStateRows(dataset, (own) => Int32Array.from(rows, (row) => own[row]!)),
  };
}

/**
 * The rows of one data set after those of the other, of the same hidden states; of the positions, those that both
 * have.
 */
export function joinRows(first: ProbeDataset, second: ProbeDataset): ProbeDataset {
  const join = (key: "meanThinkEntropy" | "semanticEntropy" | "discreteSemanticEntropy"): Float64Array =>
    Float64Array.from([...first[key], ...second[key]]);
  const X = new Float32Array(first.X.length + second.X.length);
  X.set(first.X);
  X.set(second.X, first.X.length);
  return {
    ...first,
    X,
    correct: Uint8Array.from([...first.correct, ...second.correct]),
    meanThinkEntropy: join("meanThinkEntropy"),
    semanticEntropy: join("semanticEntropy"),
    discreteSemanticEntropy: join("discreteSemanticEntropy"),
    questionIds: [...first.questionIds, ...second.questionIds],
    questionGroups: [...first.questionGroups, ...second.questionGroups],
    runIds: Int32Array.from([...first.runIds, ...second.runIds]),
    ...mapRanges(first, (ranges, name) => Int32Array.from([...ranges, ...(second[name] ?? [])])),
    stateRows: mapStateRows(first, (own, position) => {
      const other = second.stateRows[position];
      return other === undefined ? undefined : Int32Array.from([...own, ...other]);
    }),
  };
}

type Ranges = "spans" | "tokenRows";

const mapRanges = (
  dataset: ProbeDataset,
  map: (ranges: Int32Array, name: Ranges) => Int32Array,
): Pick<ProbeDataset, Ranges> =>
  Object.fromEntries(
    (["spans", "tokenRows"] as const).flatMap((name) => {
      const ranges = dataset[name];
      return ranges === undefined ? [] : [[name, map(ranges, name)]];
    }),
  );

function mapStateRows(
  { stateRows }: ProbeDataset,
  map: (rows: Int32Array, position: TracePosition) => Int32Array | undefined,
): ProbeDataset["stateRows"] {
  const entries = Object.entries(stateRows) as [TracePosition, Int32Array][];
  return Object.fromEntries(
    entries.flatMap(([position, rows]) => {
      const mapped = map(rows, position);
      return mapped === undefined ? [] : [[position, mapped]];
    }),
  );
}
