import { createGraph, type OnnxGraph, type TensorName } from "../graph/graph.ts";
import { floatTensor, type Runtime, readFloats, type Session } from "../runtime/runtime.ts";

/** What sampling needs of whole rows of logits; per row. */
interface VocabularyMeasures {
  /** The highest logit. */
  readonly highest: Float32Array;
  /** ln p of the most likely token, nats; so ln p(token) = logit - highest + this. */
  readonly highestLogprob: Float32Array;
  /** Entropy of the distribution, nats, in [0, ln V]. */
  readonly entropy: Float32Array;
  /** ln p of the most likely token at the row's temperature, nats. */
  readonly temperedLogprob: Float32Array;
  /** [rows * blocks] the highest logit of each {@link LOGIT_BLOCK} of a row: where likely tokens are. */
  readonly blockHighest: Float32Array;
}

/** Logits per entry of `blockHighest`; the last one of a row may stand for fewer. */
export const LOGIT_BLOCK = 64;

/**
 * Sums over the vocabulary on onnxruntime's vector kernels: a hundred thousand exponentials a token take longer in
 * JavaScript than a small model's forward pass.
 */
export interface VocabularySession extends AsyncDisposable {
  /**
   * @param logits [rows, V]
   * @param temperatures > 0, one per row or one for all
   */
  measure(
    logits: Float32Array,
    rows: number,
    temperatures: number | readonly number[],
  ): Promise<VocabularyMeasures>;
}

/**
 * The graph keeps about six times its input. More numbers than these at a time (1 MiB) are fetched from memory over and
 * over instead of from a CPU's cache.
 */
const VALUES_AT_A_TIME = 2 ** 18;

/** Opens its graph at the first call. @param threads that share the rows */
export function createVocabularySession(runtime: Runtime, threads: number): VocabularySession {
  let opened: Promise<Session> | null = null;
  return {
    async measure(logits, rows, temperatures) {
      opened ??= open(runtime, threads);
      const session = await opened;
      const size = logits.length / rows;
      const step = Math.max(threads, Math.floor(VALUES_AT_A_TIME / size));
      const blocks = Math.ceil(size / LOGIT_BLOCK);
      const measures = {
        highest: new Float32Array(rows),
        highestLogprob: new Float32Array(rows),
        entropy: new Float32Array(rows),
        temperedLogprob: new Float32Array(rows),
        blockHighest: new Float32Array(rows * blocks),
      };
      const inverse = Float32Array.from(
        { length: rows },
        (_, row) => 1 / (typeof temperatures === "number" ? temperatures : (temperatures[row] as number)),
      );
      for (let begin = 0; begin < rows; begin += step) {
        const end = Math.min(begin + step, rows);
        const own = logits.subarray(begin * size, end * size);
        const outputs = await session.run({
          logits: floatTensor(own, [end - begin, size]),
          inverse_temperature: floatTensor(inverse.subarray(begin, end), [end - begin, 1]),
        });
        measures.highest.set(readFloats(outputs, "highest"), begin);
        measures.highestLogprob.set(readFloats(outputs, "highest_logprob"), begin);
        measures.entropy.set(readFloats(outputs, "entropy"), begin);
        measures.temperedLogprob.set(readFloats(outputs, "tempered_logprob"), begin);
        measures.blockHighest.set(readFloats(outputs, "block_highest"), begin * blocks);
      }
      return measures;
    },
    async [Symbol.asyncDispose]() {
      await (await opened)?.[Symbol.asyncDispose]();
    },
  };
}

/** Pads that fill rows [rows, V] up to whole blocks. */
function addRowPads(graph: OnnxGraph, rows: TensorName): TensorName {
  const size = graph.add("Shape", [rows], { start: 1, end: 2 });
  const missing = graph.add("Mod", [graph.add("Neg", [size]), graph.integers([LOGIT_BLOCK])]);
  return graph.add("Concat", [graph.integers([0, 0, 0]), missing], { axis: 0 });
}

/** Below any logit. */
const NO_LOGIT = -3e38;

function open(runtime: Runtime, threads: number): Promise<Session> {
  const graph = createGraph("vocabulary");
  const logits = graph.input("logits", "float32", ["rows", "V"]);
  const inverseTemperature = graph.input("inverse_temperature", "float32", ["rows", 1]);
  const lastAxis = graph.integers([-1]);
  const output = (
    op: string,
    x: string,
    name: string,
    shape: readonly (string | number)[] = ["rows"],
  ): void => {
    graph.addNamed(op, [x, lastAxis], [name], { keepdims: 0 });
    graph.output(name, "float32", shape);
  };
  const pads = addRowPads(graph, logits);
  const padded = graph.add("Pad", [logits, pads, graph.scalar(NO_LOGIT)]);
  output("ReduceMax", graph.add("Reshape", [padded, graph.integers([0, -1, LOGIT_BLOCK])]), "block_highest", [
    "rows",
    "blocks",
  ]);
  output("ReduceMax", "block_highest", "highest");
  const logprobs = graph.add("LogSoftmax", [logits], { axis: -1 });
  output("ReduceMax", logprobs, "highest_logprob");
  // A sum starts with the values before the first aligned one, so its last bits depend on where in memory its row lies.
  // Rows of whole blocks all lie as the first one does: 64 bytes are the widest vectors.
  const surprise = graph.add("Mul", [graph.add("Exp", [logprobs]), graph.add("Neg", [logprobs])]);
  output("ReduceSum", graph.add("Pad", [surprise, pads]), "entropy");
  const tempered = graph.add("LogSoftmax", [graph.add("Mul", [logits, inverseTemperature])], { axis: -1 });
  output("ReduceMax", tempered, "tempered_logprob");
  return runtime.createSession({ graph: graph.serialize(), sources: [] }, { threads });
}
