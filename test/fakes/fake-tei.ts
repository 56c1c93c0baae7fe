import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TextClassifier } from "../../src/checkpoint/encoders/load-text-classifier.ts";

export interface FakeTeiOptions {
  readonly classifier: TextClassifier;
  /** As `--max-client-batch-size`. */
  readonly maxBatch?: number;
  /** What `/info` says of it. */
  readonly statedBatch?: number;
  /** Whether the n-th request for a prediction is one too many. */
  readonly isOverloaded?: (n: number) => boolean;
}

export interface FakeTei extends AsyncDisposable {
  readonly url: string;
  /** Pairs of each request for a prediction. */
  readonly batches: readonly number[];
}

/**
 * A text-embeddings-inference server of a classifier: answers are sorted by score, and the limits are real.
 * @see https://huggingface.github.io/text-embeddings-inference/
 */
export async function startFakeTei({
  classifier,
  maxBatch = 32,
  statedBatch = maxBatch,
  isOverloaded = () => false,
}: FakeTeiOptions): Promise<FakeTei> {
  const batches: number[] = [];
  let asked = 0;
  const answer = async (path: string, text: string): Promise<readonly [number, unknown]> => {
    const { id, revision, dtype, max_tokens } = classifier.provenance;
    if (path === "/info") {
      const model = { model_id: id, model_sha: revision, model_dtype: dtype, max_input_length: max_tokens };
      const id2label = Object.fromEntries(classifier.labels.map((label, i) => [i, label]));
      return [
        200,
        {
          ...model,
          model_type: { classifier: { id2label } },
          max_client_batch_size: statedBatch,
          version: "1.9.0",
        },
      ];
    }
    if (path !== "/predict") return [404, { error: "Not Found" }];
    const { inputs } = JSON.parse(text) as { readonly inputs: readonly (readonly [string, string])[] };
    if (isOverloaded(asked++)) return [429, { error: "Model is overloaded", error_type: "overloaded" }];
    if (inputs.length > maxBatch) {
      const error = `batch size ${inputs.length} > maximum allowed batch size ${maxBatch}`;
      return [413, { error, error_type: "Validation" }];
    }
    batches.push(inputs.length);
    const classified = await classifier.classify(inputs);
    return [200, classified.map(({ logits }) => describeScores(logits, classifier.labels))];
  };
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const [status, body] = await answer(request.url ?? "", Buffer.concat(chunks).toString());
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    batches,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Probabilities, the highest first. */
function describeScores(logits: Float32Array, labels: readonly string[]): unknown {
  const highest = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return labels
    .map((label, i) => ({ score: (weights[i] as number) / total, label }))
    .toSorted((a, b) => b.score - a.score);
}
