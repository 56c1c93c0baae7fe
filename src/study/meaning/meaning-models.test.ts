import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import { expectAllClose } from "../../../test/expect-all-close.ts";
import golden from "../../../test/golden/sentences.json" with { type: "json" };
import { drain } from "../../net/map-concurrently.ts";
import { COSINE_THRESHOLD, createSentenceEmbedder } from "./encoder-models.ts";
import { createMeaningModels } from "./meaning-models.ts";

describe("meaning models", () => {
  const golden = (name: string): string =>
    fileURLToPath(new URL(`../../../test/golden/${name}`, import.meta.url));

  let cache: string;
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), "sep-models-"));
    vi.stubEnv("SEP_CACHE", cache);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(cache, { recursive: true });
  });

  const LABELS = { labels: ["yes", "no"] } as const;

  test("a judge with an address is asked there, with the environment's key, and nothing twice", async () => {
    const asked: (readonly [string, unknown])[] = [];
    const models = createMeaningModels({
      hub: {
        env: { OPENAI_API_KEY: "secret" },
        fetch: async (url, init) => {
          asked.push([String(url), init?.headers]);
          return Response.json({ choices: [{ message: { content: "yes" } }] });
        },
      },
    });
    await using opened = await drain(models.openJudge("judge-7b", "http://judge:8000"));
    expect(await opened.judge.complete("Same?", LABELS)).toBe("yes");
    expect(await opened.judge.complete("Same?", LABELS)).toBe("yes");
    expect(asked).toEqual([
      [
        "http://judge:8000/v1/chat/completions",
        { "content-type": "application/json", authorization: "Bearer secret" },
      ],
    ]);
  });

  test("a judge without one is a model on the local engine", async () => {
    const models = createMeaningModels({ threads: 1 });
    await using opened = await drain(models.openJudge(golden("checkpoints/qwen3-tied"), undefined));
    expect(["yes", "no"]).toContain(await opened.judge.complete("Same?", LABELS));
  });

  test("the entailer and the embedder are those of the reference", async () => {
    const models = createMeaningModels({ threads: 1 });
    await using entailer = await drain(models.openEntailer({ nliModel: golden("nli/tiny") }));
    const [verdict] = await entailer.classify([
      ["What is the capital of France? Paris", "What is the capital of France? It is Paris"],
    ]);
    expect(verdict?.entailment).toBeGreaterThan(0.9);
    const { embedder, defaultThreshold } = await drain(models.openEmbedder(golden("sentences/mean")));
    await using _closing = embedder;
    const [embedding] = await embedder.embed(["Paris"]);
    expect(Math.hypot(...embedding!.vector)).toBeCloseTo(1, 5); // float32
    expect(defaultThreshold).toBeGreaterThan(0);
  });
});

const FOLDER = fileURLToPath(new URL("../../../test/golden/sentences/mean", import.meta.url));

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
