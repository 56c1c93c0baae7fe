import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeClassifier, entailmentOf } from "../../../test/fakes/fake-classifier.ts";
import { type FakeTeiOptions, startFakeTei } from "../../../test/fakes/fake-tei.ts";
import { loadTextClassifier, type TextClassifier } from "../../checkpoint/encoders/load-text-classifier.ts";
import { createRng } from "../../math/rng.ts";
import { createClassifierEntailer } from "../../meaning/nli-entailer.ts";
import { parseServerAddresses } from "../../net/server-address.ts";
import { createServerPool } from "../../net/server-pool.ts";
import { createTeiEntailer } from "./tei-entailer.ts";

let classifier: TextClassifier;
beforeAll(async () => {
  classifier = await loadTextClassifier(
    fileURLToPath(new URL("../../../test/golden/nli/tiny", import.meta.url)),
  );
});
afterAll(() => classifier[Symbol.asyncDispose]());

const LABELS = ["contradiction", "entailment", "neutral"] as const;
/** Knows what the self-test asks. */
const reader = () =>
  createFakeClassifier(LABELS, (premise, hypothesis) => {
    const verdict = entailmentOf(premise, hypothesis);
    return LABELS.map((label) => (label === verdict ? 4 : 0));
  });
const PAIRS = Array.from({ length: 75 }, (_, i) => [`The answer is ${i}.`, `It is ${i % 9}.`] as const);

const open = async (options: FakeTeiOptions) => {
  const server = await startFakeTei(options);
  const waitsMs: number[] = [];
  const pool = createServerPool(parseServerAddresses(server.url, "--nli-url"), {
    sleep: async (durationMs) => void waitsMs.push(durationMs),
  });
  return { server, pool, waitsMs };
};

test("it gives what the same model gives here, whatever the order of the labels", async () => {
  const { server, pool } = await open({ classifier });
  await using _server = server;
  await using entailer = await createTeiEntailer(pool);
  const here = await createClassifierEntailer(classifier);
  const [ours, theirs] = [await here.classify(PAIRS), await entailer.classify(PAIRS)];
  for (const [i, verdict] of theirs.entries()) {
    expect(Math.abs(verdict.entailment - ours[i]!.entailment)).toBeLessThan(1e-5); // batches round differently
    expect(Math.abs(verdict.contradiction - ours[i]!.contradiction)).toBeLessThan(1e-5);
  }
  expect(Math.max(...server.batches)).toBe(32);
});

test("equal pairs are asked once, a batch that is too large in halves, and an overloaded server again", async () => {
  const rng = createRng("overload");
  const { server, pool, waitsMs } = await open({
    classifier: reader(),
    maxBatch: 5,
    statedBatch: 64,
    isOverloaded: () => rng.next() < 0.3,
  });
  await using _server = server;
  await using entailer = await createTeiEntailer(pool);
  const before = server.batches.reduce((sum, size) => sum + size, 0);
  const verdicts = await entailer.classify([...PAIRS, ...PAIRS]);
  expect(verdicts.length).toBe(150);
  expect(verdicts.slice(75)).toEqual(verdicts.slice(0, 75));
  expect(server.batches.reduce((sum, size) => sum + size, 0) - before).toBe(75);
  expect(Math.max(...server.batches)).toBeLessThanOrEqual(5);
  expect(waitsMs.length).toBeGreaterThan(0);
  const [entailed] = await entailer.classify([["A man plays a guitar", "a man"]]);
  expect(entailed!.entailment).toBeGreaterThan(0.9);
});

test("a server of something else is refused, and one that judges wrongly", async () => {
  const { server, pool } = await open({
    classifier: createFakeClassifier(["positive", "negative"], () => [0, 1]),
  });
  await using _server = server;
  await expect(createTeiEntailer(pool)).rejects.toMatchObject({ code: "bad-nli-model" });
  await pool[Symbol.asyncDispose]();
  const turned = await open({
    classifier: createFakeClassifier(LABELS, (premise, hypothesis) =>
      LABELS.map((label) => (label === entailmentOf(premise, hypothesis) ? 0 : 4)),
    ),
  });
  await using _turned = turned.server;
  await expect(createTeiEntailer(turned.pool)).rejects.toThrow("fails its self-test");
  await turned.pool[Symbol.asyncDispose]();
});
