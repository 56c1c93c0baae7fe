import type { TextClassifier } from "../../src/checkpoint/encoders/load-text-classifier.ts";

export interface FakeClassifier extends TextClassifier {
  /** Every pair that it was asked, in order. */
  readonly asked: (readonly string[])[];
  disposed: boolean;
}

/**
 * A classifier whose logits are given by a function of premise and hypothesis.
 * @param labels in the order of the logits
 */
export function createFakeClassifier(
  labels: readonly string[],
  logitsOf: (premise: string, hypothesis: string) => readonly number[],
): FakeClassifier {
  const asked: (readonly string[])[] = [];
  const fake: FakeClassifier = {
    provenance: {
      id: "fake/nli",
      revision: null,
      file: "model.safetensors",
      weights_sha256: "w",
      tokenizer_sha256: "t",
      dtype: "float32",
      max_tokens: 512,
    },
    labels,
    asked,
    disposed: false,
    async classify(inputs, { signal } = {}) {
      signal?.throwIfAborted();
      return inputs.map((input) => {
        const [premise = "", hypothesis = ""] = input;
        asked.push([premise, hypothesis]);
        return { logits: Float32Array.from(logitsOf(premise, hypothesis)), truncated: premise.length > 100 };
      });
    },
    async [Symbol.asyncDispose]() {
      fake.disposed = true;
    },
  };
  return fake;
}

/** A crude reader of English: what the self-test asks, it answers rightly. */
export function entailmentOf(
  premise: string,
  hypothesis: string,
): "entailment" | "neutral" | "contradiction" {
  if (premise.includes("closed") && hypothesis.includes("open")) return "contradiction";
  const words = new Set(premise.toLowerCase().match(/\w+/g));
  if (words.has("guitar")) words.add("an").add("instrument");
  return (hypothesis.toLowerCase().match(/\w+/g) ?? []).every((word) => words.has(word))
    ? "entailment"
    : "neutral";
}
