import { TRACE_POSITIONS, type TracePosition } from "../engine/places.ts";
import { SepError } from "../errors.ts";
import { type NpyArray, npyNumbers } from "../formats/npy.ts";
import type { NpzArrays } from "../formats/npz.ts";
import { ROW_LABELS, type RowLabel } from "./unit-labels.ts";

/**
 * One split's rows: one per sampled answer, or per span of one where the place has many tokens per answer. What tells a row
 * from the others is (question, run, place, span). The content of `artifacts/probe_datasets/*.npz`.
 */
export interface ProbeDataset {
  /** Where X is read; see `stateRows` for every other place. */
  readonly position: TracePosition;
  readonly layer: number;
  /** What `correct` is the opposite of. */
  readonly label: RowLabel;
  /** Above it, what was measured of a row counts as uncertain; not there for other labels. */
  readonly labelThreshold?: number;
  readonly width: number;
  /** [n, D] residual stream at `position` and `layer`. */
  readonly X: Float32Array;
  /** [n] 1 = the answer is right, or, with another `label`, that what it says is not so. */
  readonly correct: Uint8Array;
  /** [n] nats; NaN where there was no reasoning. */
  readonly meanThinkEntropy: Float64Array;
  /** [n] of the row's question, nats, weighted by likelihood (Farquhar et al.); NaN where not computed. */
  readonly semanticEntropy: Float64Array;
  /** [n] of the row's question, nats, by counts: the target of the SE probe; NaN where not computed. */
  readonly discreteSemanticEntropy: Float64Array;
  readonly questionIds: readonly string[];
  /**
   * [n] id of the first question of the row's group of duplicates; the question's own where it has none. Groups are what
   * counts as independent.
   */
  readonly questionGroups: readonly string[];
  readonly runIds: Int32Array;
  /** [n, 2] half-open spans of generated tokens; not there where the place has one token per answer. */
  readonly spans?: Int32Array;
  /**
   * [n, 2] half-open rows of the `every-token` tensors that hold the tokens of the row's span, or of its whole answer; empty
   * ranges where it has none; not there where that position was not traced.
   */
  readonly tokenRows?: Int32Array;
  /** For each traced position [n]: row in the hidden-state tensors, -1 where the sample has no such token. */
  readonly stateRows: Readonly<Partial<Record<TracePosition, Int32Array>>>;
}

/** A split's arrays by name. The first six keys are those of Python pipelines of this kind. */
export function toDatasetArrays(dataset: ProbeDataset): Record<string, NpyArray> {
  const count = dataset.questionIds.length;
  const vector = (data: Float64Array): NpyArray => ({ dtype: "f8", shape: [count], data });
  return {
    X_hidden: { dtype: "f4", shape: [count, dataset.width], data: dataset.X },
    y_correct: { dtype: "i4", shape: [count], data: Int32Array.from(dataset.correct) },
    mean_think_entropy: vector(dataset.meanThinkEntropy),
    semantic_entropy: vector(dataset.semanticEntropy),
    question_ids: { dtype: "U", shape: [count], data: dataset.questionIds },
    run_ids: { dtype: "i4", shape: [count], data: dataset.runIds },
    discrete_semantic_entropy: vector(dataset.discreteSemanticEntropy),
    position: { dtype: "U", shape: [1], data: [dataset.position] },
    layer: { dtype: "i4", shape: [1], data: Int32Array.of(dataset.layer) },
    // data sets of whole answers are the files that they were before there were other labels
    ...(dataset.label === "final-incorrect"
      ? {}
      : { label: { dtype: "U", shape: [1], data: [dataset.label] } as const }),
    ...(dataset.labelThreshold === undefined
      ? {}
      : {
          label_threshold: {
            dtype: "f8",
            shape: [1],
            data: Float64Array.of(dataset.labelThreshold),
          } as const,
        }),
    ...Object.fromEntries(
      Object.entries(dataset.stateRows).map(([position, data]): [string, NpyArray] => [
        `rows_${position}`,
        { dtype: "i4", shape: [count], data },
      ]),
    ),
    question_group: { dtype: "U", shape: [count], data: dataset.questionGroups },
    ...(dataset.spans === undefined
      ? {}
      : { row_spans: { dtype: "i4", shape: [count, 2], data: dataset.spans } as const }),
    ...(dataset.tokenRows === undefined
      ? {}
      : { token_rows: { dtype: "i4", shape: [count, 2], data: dataset.tokenRows } as const }),
  };
}

/**
 * A split from its arrays.
 * @param name what messages call the file that they are from
 * @throws SepError `bad-artifact` if a key is missing or its length differs from the others
 */
export function parseDatasetArrays(arrays: NpzArrays, name: string): ProbeDataset {
  const fail = (reason: string): never => {
    throw new SepError("bad-artifact", `${name}: ${reason}. Make it again with \`sep dataset\`.`);
  };
  const find = (key: string): NpyArray => arrays[key] ?? fail(`"${key}" is missing`);
  const strings = (key: string): readonly string[] => {
    const array = find(key);
    return array.dtype === "U" ? array.data : fail(`"${key}" holds ${array.dtype}, expected strings`);
  };
  const questionIds = strings("question_ids");
  // files of version 0.1 and of other tools do not have it
  const questionGroups = arrays.question_group === undefined ? questionIds : strings("question_group");
  if (questionGroups.length !== questionIds.length)
    fail(`"question_group" has ${questionGroups.length} rows, "question_ids" has ${questionIds.length}`);
  const numbers = (key: string): Float64Array => {
    const values = npyNumbers(find(key));
    if (values.length === questionIds.length) return values;
    return fail(`"${key}" has ${values.length} rows, "question_ids" has ${questionIds.length}`);
  };
  const readRanges = (name: "row_spans" | "token_rows", array: NpyArray): Int32Array =>
    array.shape.join() === `${questionIds.length},2`
      ? Int32Array.from(npyNumbers(array))
      : fail(`"${name}" has shape [${array.shape}], expected [${questionIds.length}, 2]`);
  const readLabel = (): RowLabel => {
    if (arrays.label === undefined) return "final-incorrect";
    const [given] = strings("label");
    return (
      ROW_LABELS.find((each) => each === given) ??
      fail(`label is "${given}", expected ${ROW_LABELS.join(", ")}`)
    );
  };
  const hidden = find("X_hidden");
  const width = hidden.shape[1] ?? fail(`"X_hidden" has shape [${hidden.shape}], expected [n, D]`);
  const position = TRACE_POSITIONS.find((each) => each === strings("position")[0]);
  return {
    position:
      position ?? fail(`position is "${strings("position")[0]}", expected ${TRACE_POSITIONS.join(", ")}`),
    layer: npyNumbers(find("layer"))[0]!,
    label: readLabel(),
    ...(arrays.label_threshold === undefined
      ? {}
      : { labelThreshold: npyNumbers(arrays.label_threshold)[0]! }),
    width,
    X: hidden.dtype === "f4" ? hidden.data : Float32Array.from(npyNumbers(hidden)),
    correct: Uint8Array.from(numbers("y_correct")),
    meanThinkEntropy: numbers("mean_think_entropy"),
    semanticEntropy: numbers("semantic_entropy"),
    discreteSemanticEntropy: numbers("discrete_semantic_entropy"),
    questionIds,
    questionGroups,
    runIds: Int32Array.from(numbers("run_ids")),
    ...(arrays.row_spans === undefined ? {} : { spans: readRanges("row_spans", arrays.row_spans) }),
    ...(arrays.token_rows === undefined ? {} : { tokenRows: readRanges("token_rows", arrays.token_rows) }),
    stateRows: Object.fromEntries(
      TRACE_POSITIONS.filter((name) => arrays[`rows_${name}`] !== undefined).map((name) => [
        name,
        Int32Array.from(numbers(`rows_${name}`)),
      ]),
    ),
  };
}
