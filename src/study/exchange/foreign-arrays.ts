import { SepError } from "../../errors.ts";
import { type NpyArray, npyNumbers } from "../../formats/npy.ts";
import { runKey } from "../../samples/samples.ts";
import { readNpz } from "../../store/array-file.ts";
import { listShortly, showShortly } from "../../text/shorten.ts";

/** Rows of hidden states with whose they are, as Python pipelines save them. */
export interface ForeignStates {
  readonly questionIds: readonly string[];
  readonly runIds: Int32Array;
  readonly width: number;
  /** [n, D] */
  readonly X: Float32Array;
}

/** The same with labels: a probe data set. */
export interface ForeignDataset extends ForeignStates {
  /** [n] which questions are duplicates of one another, as `sep dataset` writes it; each question's own id without. */
  readonly questionGroups: readonly string[];
  readonly correct: Uint8Array;
  /** [n] nats; NaN where there was no reasoning. */
  readonly meanThinkEntropy: Float64Array;
  /** [n] nats, over counts of samples; NaN where it is missing. */
  readonly discreteSemanticEntropy: Float64Array;
  /** [n] nats, weighted by likelihood; NaN where the file does not have it. */
  readonly semanticEntropy: Float64Array;
}

type ForeignArrays =
  | { readonly kind: "states"; readonly content: ForeignStates }
  | { readonly kind: "dataset"; readonly content: ForeignDataset };

/**
 * Reads an NPZ file of hidden states (`question_ids, run_ids, hidden_states`) or of a probe data set (`X_hidden,
 * y_correct, mean_think_entropy, semantic_entropy, question_ids, run_ids`), whichever it is. Ids may be strings,
 * integers or objects.
 * @throws SepError `bad-artifact` for what is neither, or whose arrays do not fit together
 */
export async function readForeignArrays(path: string): Promise<ForeignArrays> {
  const arrays = await readNpz(path);
  const fail = (reason: string): never => {
    throw new SepError(
      "bad-artifact",
      `${path}: ${reason}. Save hidden states as question_ids, run_ids and hidden_states, a data set with X_hidden, y_correct, mean_think_entropy and semantic_entropy.`,
    );
  };
  const source: Source = { find: (key) => arrays[key] ?? fail(`"${key}" is missing`), fail };
  if (arrays.X_hidden === undefined && arrays.hidden_states === undefined)
    return fail(`it has ${listShortly(Object.keys(arrays)) || "no arrays"}`);
  if (arrays.X_hidden === undefined) return { kind: "states", content: readStates(source, "hidden_states") };
  const states = readStates(source, "X_hidden");
  const column = (key: string): Float64Array => readColumn(source, key, states.questionIds.length);
  const correct = column("y_correct");
  const odd = correct.find((label) => label !== 0 && label !== 1);
  if (odd !== undefined) fail(`"y_correct" holds ${odd}, expected 0 or 1`);
  // the Python pipeline counts samples and has no likelihoods; files of this package have both under their names
  const hasBoth = arrays.discrete_semantic_entropy !== undefined;
  return {
    kind: "dataset",
    content: {
      ...states,
      questionGroups: readGroups(source, arrays.question_group, states.questionIds),
      correct: Uint8Array.from(correct),
      meanThinkEntropy: column("mean_think_entropy"),
      discreteSemanticEntropy: column(hasBoth ? "discrete_semantic_entropy" : "semantic_entropy"),
      semanticEntropy: hasBoth
        ? column("semantic_entropy")
        : new Float64Array(correct.length).fill(Number.NaN),
    },
  };
}

interface Source {
  find(key: string): NpyArray;
  fail(reason: string): never;
}

function readStates({ find, fail }: Source, key: "hidden_states" | "X_hidden"): ForeignStates {
  const questionIds = readIds(find("question_ids"));
  const count = questionIds.length;
  const hidden = find(key);
  const [rows, width] = hidden.shape;
  if (hidden.shape.length !== 2 || rows !== count || width === undefined || width === 0)
    return fail(
      `"${key}" has shape ${showShortly(hidden.shape)} for ${count} question_ids, expected [${count}, D]`,
    );
  const runIds = Int32Array.from(readColumn({ find, fail }, "run_ids", count));
  const keys = new Set(questionIds.map((id, row) => runKey(id, runIds[row] as number)));
  if (keys.size < count) return fail(`${count - keys.size} rows repeat the question and run of another`);
  return {
    questionIds,
    runIds,
    width,
    X: hidden.dtype === "f4" ? hidden.data : Float32Array.from(npyNumbers(hidden)),
  };
}

function readGroups(
  { fail }: Source,
  groups: NpyArray | undefined,
  questionIds: readonly string[],
): readonly string[] {
  if (groups === undefined) return questionIds;
  const read = readIds(groups);
  return read.length === questionIds.length
    ? read
    : fail(`"question_group" has ${read.length} rows for ${questionIds.length} question_ids`);
}

const readIds = (ids: NpyArray): readonly string[] =>
  ids.dtype === "U" ? ids.data : Array.from(npyNumbers(ids), String);

function readColumn({ find, fail }: Source, key: string, count: number): Float64Array {
  const array = find(key);
  const values = array.dtype === "U" ? Float64Array.from(array.data, Number) : npyNumbers(array);
  return values.length === count
    ? values
    : fail(`"${key}" has ${values.length} rows for ${count} question_ids`);
}
