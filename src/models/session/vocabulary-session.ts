import { InferenceSession, Tensor } from "onnxruntime-node";
import { createGraph } from "../../onnx/graph.ts";

/** What sampling needs of whole rows of logits; per row. */
export interface VocabularyMeasures {
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

/** Opens its graph at the first call. */
export function createVocabularySession(threads: number): VocabularySession {
  let opened: Promise<InferenceSession> | null = null;
  return {
    async measure(logits, rows, temperature) {
      opened ??= open(threads);
      const session = await opened;
      const fetched = await session.run({
        logits: new Tensor("float32", logits, [rows, logits.length / rows]),
        inverse_temperature: new Tensor("float32", Float32Array.of(1 / temperature), []),
      });
      const read = (name: string): Float32Array => (fetched[name] as Tensor).data as Float32Array;
      return {
        highest: read("highest"),
        highestLogprob: read("highest_logprob"),
        entropy: read("entropy"),
        temperedLogprob: read("tempered_logprob"),
      };
    },
    async [Symbol.asyncDispose]() {
      await (await opened)?.release();
    },
  };
}

function open(threads: number): Promise<InferenceSession> {
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
  output("ReduceSum", surprise, "entropy");
  output("ReduceMax", tempered, "tempered_logprob");
  return InferenceSession.create(graph.serialize(), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // this pool's threads must not spin while the model's work, nor the other way round
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  });
}
