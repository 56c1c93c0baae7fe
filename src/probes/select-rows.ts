import type { TracePosition } from "../engine/places.ts";
import type { ProbeDataset } from "./probe-dataset.ts";

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
    ...mapSpans(dataset, (spans) =>
      Int32Array.from(rows.flatMap((row) => [...spans.subarray(2 * row, 2 * row + 2)])),
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
    ...mapSpans(first, (spans) => Int32Array.from([...spans, ...(second.spans ?? [])])),
    stateRows: mapStateRows(first, (own, position) => {
      const other = second.stateRows[position];
      return other === undefined ? undefined : Int32Array.from([...own, ...other]);
    }),
  };
}

const mapSpans = (
  { spans }: ProbeDataset,
  map: (spans: Int32Array) => Int32Array,
): Pick<ProbeDataset, "spans"> => (spans === undefined ? {} : { spans: map(spans) });

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
