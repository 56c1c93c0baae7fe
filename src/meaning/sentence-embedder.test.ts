import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { expectAllClose } from "../../test/expect-all-close.ts";
import golden from "../../test/golden/sentences.json" with { type: "json" };
import { COSINE_THRESHOLD, createSentenceEmbedder } from "./sentence-embedder.ts";

const FOLDER = fileURLToPath(new URL("../../test/golden/sentences/mean", import.meta.url));

it("embeds texts in order, and says what it is", async () => {
  await using embedder = await createSentenceEmbedder(FOLDER, { name: { id: "org/tiny", revision: "abc" } });
  expect(embedder.name).toBe("org/tiny");
  expect(embedder.provenance).toMatchObject({
    id: "org/tiny",
    revision: "abc",
    pooling: "mean",
    dtype: "float32",
  });
  const embeddings = await embedder.embed([...golden.texts, golden.texts[0]!]);
  embeddings.forEach(({ vector }, index) => {
    expectAllClose(vector, golden.vectors.mean[index % golden.texts.length]!, 1e-5);
  });
  const cosine = embeddings[0]!.vector.reduce((sum, x, i) => sum + x * embeddings.at(-1)!.vector[i]!, 0);
  expect(cosine).toBeGreaterThan(COSINE_THRESHOLD);
});
