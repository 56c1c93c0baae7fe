import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { drain } from "../../net/map-concurrently.ts";
import { createMeaningModels } from "./meaning-models.ts";

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
