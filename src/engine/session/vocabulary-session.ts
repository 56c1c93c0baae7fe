import { createGraph, type TensorName } from "../graph/graph.ts";
import { floatTensor, type Runtime, readFloats, type Session } from "../runtime/runtime.ts";

/** What sampling needs of whole rows of logits; per row. */
interface VocabularyMeasures {
  /** The highest logit. */
  readonly highest: Float32Array;
  /** ln p of the most likely token, nats; so ln p(token) = logit - highest + this. */
  readonly highestLogprob: Float32Array;
  /** Entropy of the distribution, nats, in [0, ln V]. */
  readonly entropy: Float32Array;
  /** Sum of exp((logit - highest) / temperature) at the row's temperature, >= 1. */
  readonly temperedMass: Float32Array;
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
 * The graph keeps about five times its input. More numbers than these at a time (1 MiB) are fetched from memory over and
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
        temperedMass: new Float32Array(rows),
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
        measures.blockHighest.set(readFloats(outputs, "block_highest"), begin * blocks);
        measures.temperedMass.set(readFloats(outputs, "tempered_mass"), begin);
        const [mass, weighted] = [readFloats(outputs, "mass"), readFloats(outputs, "weighted")];
        for (let row = begin; row < end; row++) {
          const total = mass[row - begin] as number;
          measures.highestLogprob[row] = -Math.log(total);
          // -sum p ln p with p = weight / total, and ln weight = how far a logit is below the highest
          measures.entropy[row] = Math.log(total) - (weighted[row - begin] as number) / total;
        }
      }
      return measures;
    },
    async [Symbol.asyncDispose]() {
      await (await opened)?.[Symbol.asyncDispose]();
    },
  };
}

/** Below any logit, so that its weight is zero; not infinite, since infinity times zero is no number. */
const NO_LOGIT = -1e30;

function open(runtime: Runtime, threads: number): Promise<Session> {
  const graph = createGraph("vocabulary");
  const logits = graph.input("logits", "float32", ["rows", "V"]);
  const inverseTemperature = graph.input("inverse_temperature", "float32", ["rows", 1]);
  const lastAxis = graph.integers([-1]);
  const reduce = (op: string, x: TensorName, name: string, attributes = { keepdims: 0 }): TensorName => {
    graph.addNamed(op, [x, lastAxis], [name], attributes);
    return name;
  };
  // A sum starts with the values before the first aligned one, so its last bits depend on where in memory its row lies.
  // Rows of whole blocks all lie as the first one does: 64 bytes are the widest vectors.
  const size = graph.add("Shape", [logits], { start: 1, end: 2 });
  const missing = graph.add("Mod", [graph.add("Neg", [size]), graph.integers([LOGIT_BLOCK])]);
  const pads = graph.add("Concat", [graph.integers([0, 0, 0]), missing], { axis: 0 });
  const padded = graph.add("Pad", [logits, pads, graph.scalar(NO_LOGIT)]);
  const blocks = graph.add("Reshape", [padded, graph.integers([0, -1, LOGIT_BLOCK])]);
  graph.output(reduce("ReduceMax", blocks, "block_highest"), "float32", ["rows", "blocks"]);
  const highest = reduce("ReduceMax", "block_highest", "highest", { keepdims: 1 });
  const below = graph.add("Sub", [padded, highest]);
  const weights = graph.add("Exp", [below]);
  reduce("ReduceSum", weights, "mass");
  reduce("ReduceSum", graph.add("Mul", [weights, below]), "weighted");
  reduce("ReduceSum", graph.add("Exp", [graph.add("Mul", [below, inverseTemperature])]), "tempered_mass");
  graph.output(highest, "float32", ["rows", 1]);
  for (const name of ["mass", "weighted", "tempered_mass"]) graph.output(name, "float32", ["rows"]);
  return runtime.createSession({ graph: graph.serialize(), sources: [] }, { threads });
}
