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
  /** ln p of the most likely token at the asked temperature, nats. */
  readonly temperedLogprob: Float32Array;
}

/**
 * Sums over the vocabulary on onnxruntime's vector kernels: a hundred thousand exponentials a token take longer in
 * JavaScript than a small model's forward pass.
 */
export interface VocabularySession extends AsyncDisposable {
  /**
   * @param logits [rows, V]
   * @param temperature > 0
   */
  measure(logits: Float32Array, rows: number, temperature: number): Promise<VocabularyMeasures>;
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
    async measure(logits, rows, temperature) {
      opened ??= open(runtime, threads);
      const session = await opened;
      const size = logits.length / rows;
      const step = Math.max(threads, Math.floor(VALUES_AT_A_TIME / size));
      const measures = {
        highest: new Float32Array(rows),
        highestLogprob: new Float32Array(rows),
        entropy: new Float32Array(rows),
        temperedLogprob: new Float32Array(rows),
      };
      const inverse = floatTensor(Float32Array.of(1 / temperature), []);
      for (let begin = 0; begin < rows; begin += step) {
        const end = Math.min(begin + step, rows);
        const own = logits.subarray(begin * size, end * size);
        const outputs = await session.run({
          logits: floatTensor(own, [end - begin, size]),
          inverse_temperature: inverse,
        });
        measures.highest.set(readFloats(outputs, "highest"), begin);
        measures.highestLogprob.set(readFloats(outputs, "highest_logprob"), begin);
        measures.entropy.set(readFloats(outputs, "entropy"), begin);
        measures.temperedLogprob.set(readFloats(outputs, "tempered_logprob"), begin);
      }
      return measures;
    },
    async [Symbol.asyncDispose]() {
      await (await opened)?.[Symbol.asyncDispose]();
    },
  };
}

/**
 * A sum starts with the values before the first aligned one, so its last bits depend on where in memory its row lies.
 * Rows of a multiple of these many values all lie as the first one does; 64 bytes are the widest vectors.
 */
const ALIGNED_VALUES = 16;

/** Pads that fill rows [rows, V] up to aligned ones. */
function addRowPads(graph: OnnxGraph, rows: TensorName): TensorName {
  const size = graph.add("Shape", [rows], { start: 1, end: 2 });
  const missing = graph.add("Mod", [graph.add("Neg", [size]), graph.integers([ALIGNED_VALUES])]);
  return graph.add("Concat", [graph.integers([0, 0, 0]), missing], { axis: 0 });
}

function open(runtime: Runtime, threads: number): Promise<Session> {
  const graph = createGraph("vocabulary");
  const logits = graph.input("logits", "float32", ["rows", "V"]);
  const inverseTemperature = graph.input("inverse_temperature", "float32", []);
  const overVocabulary = graph.integers([-1]);
  const output = (op: string, x: string, name: string): void => {
    graph.addNamed(op, [x, overVocabulary], [name], { keepdims: 0 });
    graph.output(name, "float32", ["rows"]);
  };
  const logprobs = graph.add("LogSoftmax", [logits], { axis: -1 });
  const surprise = graph.add("Mul", [graph.add("Exp", [logprobs]), graph.add("Neg", [logprobs])]);
  const tempered = graph.add("LogSoftmax", [graph.add("Mul", [logits, inverseTemperature])], { axis: -1 });
  output("ReduceMax", logits, "highest");
  output("ReduceMax", logprobs, "highest_logprob");
  output("ReduceSum", graph.add("Pad", [surprise, addRowPads(graph, logits)]), "entropy");
  output("ReduceMax", tempered, "tempered_logprob");
  // its threads must not spin while the model's work, nor the other way round
  return runtime.createSession({ graph: graph.serialize(), sources: [] }, { threads, spins: false });
}
